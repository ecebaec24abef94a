/// Keys and signatures made once with other software, and checked there with a third; the private keys
/// are gone. Signatures are over `objectID`, the tokens have equal claims and end at `tokenEndMs`.
enum SignatureVectors {
    static let objectID = "room-42/\u{E9}"
    static let secret = Array("0123456789abcdef0123456789abcdef".utf8)
    static let tokenEndMs: UInt64 = 1_700_003_600_000
    static let ed25519PEM = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAaGBxYIa7Rd0CxmvW5XXroGUCvKG1pckGtk32eS30G8c=
        -----END PUBLIC KEY-----
        """
    static let ed25519DER = "MCowBQYDK2VwAyEAaGBxYIa7Rd0CxmvW5XXroGUCvKG1pckGtk32eS30G8c="
    static let ed25519Raw = "aGBxYIa7Rd0CxmvW5XXroGUCvKG1pckGtk32eS30G8c="
    static let otherEd25519PEM = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAb6ZH8FAKc3vgxxCWJM8C9NFG/t3M09bghBnIXemoYCM=
        -----END PUBLIC KEY-----
        """
    static let rsaPEM = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA5w5os6ZtSkXeywmBboIY
        DF58gjLX5KYb6b66YLCV05t9OWECC1pm9/24L/kFutXssc5LgZilxVgYQO7L8cvs
        hFN95ZEWNcANXYuOdzOFD+jJoDsCXIGWkfKgP8gIFd96aySPjBnfdEh7cKgRYgC1
        1Z43DXCDkp0rx7Z7gGSrmSkLMtyu7pN2VuKVCODikU23OVikWBcoQv1lRXFLlMeD
        GiAy2MLX/9AcWXbqfmwRdhBzBx91B/Q0Sz6e2E97ZpRFIl5j4r1Ot7wCQIxcB5cG
        Izp9IybZ5Huns8zBqvYwt/e5WUZQZqP3DgVLSpyXVyrLvTBUl2KOA/jltBOGBOEn
        1QIDAQAB
        -----END PUBLIC KEY-----
        """
    static let rsaPKCS1PEM = """
        -----BEGIN RSA PUBLIC KEY-----
        MIIBCgKCAQEA5w5os6ZtSkXeywmBboIYDF58gjLX5KYb6b66YLCV05t9OWECC1pm
        9/24L/kFutXssc5LgZilxVgYQO7L8cvshFN95ZEWNcANXYuOdzOFD+jJoDsCXIGW
        kfKgP8gIFd96aySPjBnfdEh7cKgRYgC11Z43DXCDkp0rx7Z7gGSrmSkLMtyu7pN2
        VuKVCODikU23OVikWBcoQv1lRXFLlMeDGiAy2MLX/9AcWXbqfmwRdhBzBx91B/Q0
        Sz6e2E97ZpRFIl5j4r1Ot7wCQIxcB5cGIzp9IybZ5Huns8zBqvYwt/e5WUZQZqP3
        DgVLSpyXVyrLvTBUl2KOA/jltBOGBOEn1QIDAQAB
        -----END RSA PUBLIC KEY-----
        """
    static let rsaPKCS1DER =
        "MIIBCgKCAQEA5w5os6ZtSkXeywmBboIYDF58gjLX5KYb6b66YLCV05t9OWECC1pm9/24L/kFutXssc5LgZilxVgYQO"
        + "7L8cvshFN95ZEWNcANXYuOdzOFD+jJoDsCXIGWkfKgP8gIFd96aySPjBnfdEh7cKgRYgC11Z43DXCDkp0rx7Z7gGSr"
        + "mSkLMtyu7pN2VuKVCODikU23OVikWBcoQv1lRXFLlMeDGiAy2MLX/9AcWXbqfmwRdhBzBx91B/Q0Sz6e2E97ZpRFIl"
        + "5j4r1Ot7wCQIxcB5cGIzp9IybZ5Huns8zBqvYwt/e5WUZQZqP3DgVLSpyXVyrLvTBUl2KOA/jltBOGBOEn1QIDAQAB"
    static let rsa1024PEM = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCwEGfu+nbqLn17gl/VteN8M4wV
        qoqIg3WOO6FfTgewKc3sSNSg5pBwqCIqu5u78c3DLqF/5/xS+Bt4Liun/bGd56Rq
        WOeXoaJ2Ht8xRPzCcHguaoPpTnEr71xijsnkDvb67Q5QFUxKlaaIVmqeVeKHlSz6
        yAcb56MEZMyW3Xjp3wIDAQAB
        -----END PUBLIC KEY-----
        """
    static let p256PEM = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE13TRpCtpvJplNpQ0gdT5FwvDww5O
        0nwMT1jEzs0IdKzt3Sy+AsrPMz6vkXy8iPwrXQ6yA6Quw7ra4G8HYnx9lg==
        -----END PUBLIC KEY-----
        """
    static let p384PEM = """
        -----BEGIN PUBLIC KEY-----
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEd5YtavEumbMxYQlehQkST0s0FbmxU76W
        Bk5CDYNhdMKxZ/pSnT5ZQMBzf421ZotlIhX/Rc/MM5tRK8x0JNsNZ7gLfxhgAzSy
        QJoyk38QnADCrbix3/pv025h4U6n9WL3
        -----END PUBLIC KEY-----
        """
    static let p256DER =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE13TRpCtpvJplNpQ0gdT5FwvDww5O0nwMT1jEzs0IdKzt3Sy+AsrPMz"
        + "6vkXy8iPwrXQ6yA6Quw7ra4G8HYnx9lg=="
    static let x25519PEM = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VuAyEAQWRy7vKE5O8PUtQafaPTfSm7+gbJwXjxKnyJJg2haQk=
        -----END PUBLIC KEY-----
        """
    static let ed25519Signature =
        "GX+CMXvozuRlvwzmF+k4y0rYCezonQxgxvPaLBQwYkW/Zm4m5ccJ0atYZ6a2jYLMraS3JCLmTvr9zlG3N3cNAg=="
    static let rsaSignature =
        "bGC/lxOd+FUnAS8DuodDQEM2y95YgUmVgZMIxpl0//9D3PbZxnoa5v4g+cz54npAPN9NGhWXzjkVxRJBLC8YHcZAR7"
        + "rL7hEXW8uNtpwkC3Kcjiw45xQp3GPB8PnrwepZ/O33JZ7IvURmhiDVE5tmLrwBjQmiIAcuE0QUkhbo+rxQTlRuu9sj"
        + "p/SI0vJZRrvXoejh1KkCGjktt27dR7/88Ik/GQFEe7XGMP9YBtR6jHL0i97FTXedkm3J3sLv4Ha0TFyFwjTp9WZbxn"
        + "Z4oweQLpL5D9a23//yQaI77RntmR8kyg0qCvRL+Z/b8hLhZ80/PKEc9BY6siGSlmj+MJLQLg=="
    static let rsaPSSSignature =
        "wpRtTE/rBXJCjP/ILBbOZM+oMY0pWzAuSDF6QqqqVLBPREFD9f8h2Dm4O/R7jJP4IEHTElb+AGkPXo9bCPgLbPDaEa"
        + "RymQ3pHosFiMVWQFyL6X1r3c9xp1VrSnVoWUOQYXhzZURqUwD43uXQz9wdPxqJq3aouXUtpKWGyclwvL/6hoSYmmUD"
        + "ZGLBMeagYlGHJiWeNfjfknP8My7/g7RxY0D4WHxOn0eqhzp3DHvq/Tder4QsygKlT8g6xCRrVxoBxUwmqcpwbyzwcM"
        + "WTW7x5fXsyl+nrZgSMobmqAGyX7/TFbhbeQj6svIAQyOZpFSPBGezoZKJ3TRzN2j2glDHgSw=="
    static let rsaSHA512Signature =
        "rkn85m4rJpVNTLfamsc8LF3DDYh2HKh/Atv0YE6mpHI7pNyoUn1Apw8RpHVjvY6066hB1Ru/p/Eiawik5V3bL+jvka"
        + "UheRCCAIDUq5pyYG5TM3d8ZpHoDuWuIZXQ7UKaT0tgFw4jijD1bL6HfllIlmUryh3XH305cIlbWbI9TFdbeWAynNa4"
        + "NdNjRvpUiqVHplwCl9awu09/DGIuvjxN+pciMuBtD7GXIa1IaymorcyqIfWev0Uvu5ktiUSCcBFdGor7OikQM4Qwp6"
        + "PkipI7p7aWxUYfyncCdfQ+sVuiE2Pl4OK00tXZAoCKbULPqACWXRu7M7cTuUhDOgjtI19suA=="
    static let p256Signature =
        "MEMCHzbOAYg+J4/zQiSHi7ZATK9eBaTQe+m5DKPsLRUiyVICIF2LXrRvihncIjQbsB/DOp8l0FtD+dCcmOOKOwGwJu"
        + "Ig"
    static let p256RawSignature =
        "ADbOAYg+J4/zQiSHi7ZATK9eBaTQe+m5DKPsLRUiyVJdi160b4oZ3CI0G7AfwzqfJdBbQ/nQnJjjijsBsCbiIA=="
    static let hmacHex = "326608aa46197ebea5cca5e872676060754937115081af32760f8531e0d4dbe1"
    static let hmacBase64 = "MmYIqkYZfr6lzKXocmdgYHVJNxFQga8ydg+FMeDU2+E="
    static let userIDSignature = "8870f376de268ea42aabb3bae207e1696f98f0952560e9fc087579dc59dcbd97"
    static let numberSignature = "3b12d0412db185c98ff58825ed4c81cfbc7bdabcf33ac48bdaaae5f39fc65445"
    static let rs256 =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEyMyIsIm5hbWUiOiJBbGljZSIsInJvbGUiO"
        + "nsib2YiOlsiYSIsMSx0cnVlLG51bGxdfSwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDB9.E8EXzVth57"
        + "y9Q0lQ3CWXzvqVKIKWGbzo1wuva95kh61Beul7QJAZaUOOAct-tJv6nFiPfXXHKtwk-n1L4Y_anJsrh5ai8vF2pTg-"
        + "9AjOdIkWw7CnBwOMBe0vb8QRqMNozRcXWbBUncRYBILyAoq6KzSESzekLqxAZpim8ZpzKerz_hdYL76YfkN0CcBpsI"
        + "nXVV2_psLg-0XNHEojygITZE4iJ8_YphfFqQoNGfA7Q2wVTysx2CXcZ-7VFRXbdJ5gWlxvOgO2sJfIZlx5u1kGW3nL"
        + "LOiPEEs5ZqLoUKOG86pnAuh8IJ5aanBmN3lFw4xGjJprGf2AOKcusxl0yeyw0w"
    static let es256 =
        "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEyMyIsIm5hbWUiOiJBbGljZSIsInJvbGUiO"
        + "nsib2YiOlsiYSIsMSx0cnVlLG51bGxdfSwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDB9.yyn8hzzIk5"
        + "jtROZkcsGoo3bZa0Mm9HsieL0u7PJeolaAHNExJWqbLmoNzQlynZW9kZEtXDQLIEulUlOxqEaMmQ"
    static let eddsa =
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEyMyIsIm5hbWUiOiJBbGljZSIsInJvbGUiO"
        + "nsib2YiOlsiYSIsMSx0cnVlLG51bGxdfSwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDB9.G1jN9Qc4n0"
        + "aPyIqfb8_EzTaad0D8xWAksGZqpSbGTMeO0wSJj3aR91PF3OmsDA8z4GyfkcU41K6izmZm6teOBg"
}
