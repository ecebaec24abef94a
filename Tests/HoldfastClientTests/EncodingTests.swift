import Testing

@testable import HoldfastClient

@Suite struct EncodingTests {
    @Test(arguments: [
        ("plain-1_2.3~", "plain-1_2.3~"), ("a b", "a%20b"), ("a/b?c#d", "a%2Fb%3Fc%23d"), ("50%", "50%25"),
        ("a+b", "a%2Bb"),
        ("é", "%C3%A9"), (".", "%2E"), ("..", "%2E%2E"), ("...", "..."), ("", ""),
        ("\u{1F600}", "%F0%9F%98%80"),
    ])
    func percentEncodesPathSegments(text: String, encoded: String) {
        #expect(percentEncoded(text) == encoded)
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func encodesBase64AsTheStandardDoes(text: String, encoded: String) {
        #expect(base64Encoded(Array(text.utf8)) == encoded)
        #expect(base64Encoded([0xFB, 0xFF, 0xFE]) == "+//+")
    }

    @Test(arguments: [
        ("http://127.0.0.1:7001", "127.0.0.1", 7_001), ("localhost:1", "localhost", 1),
        ("http://[::1]:65535/", "::1", 65_535),
    ])
    func readsEndpoints(text: String, host: String, port: Int) {
        #expect(Endpoint(text) == Endpoint(host: host, port: port))
    }

    @Test func readsEndpointsThatUseTLS() {
        #expect(Endpoint("https://h:1") == Endpoint(host: "h", port: 1, usesTLS: true))
        #expect(Endpoint("https://[::1]:1/")?.description == "https://[::1]:1")
        #expect(Endpoint("h:1")?.usesTLS == false)
    }

    @Test(arguments: [
        "", "host", "host:", ":1", "host:0", "host:65536", "host:+1", "https://h", "http://h:1/x", "ftp://h:1", "a b:1",
        "::1:80", "u@h:1",
    ])
    func refusesWhatIsNoEndpoint(text: String) {
        #expect(Endpoint(text) == nil)
    }

    @Test func writesWholeRequests() {
        let endpoint = Endpoint(host: "::1", port: 80)
        let read = HTTPRequest("GET", "/x", headers: [("A", "b")]).encoded(for: endpoint)
        #expect(String(buffer: read) == "GET /x HTTP/1.1\r\nHost: [::1]:80\r\nA: b\r\n\r\n")
        let write = HTTPRequest("POST", "/x", body: Array("{}".utf8)).encoded(for: endpoint)
        #expect(String(buffer: write) == "POST /x HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 2\r\n\r\n{}")
    }
}
