#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include "certificates.h"
#include "context.h"
#include "transport.h"

/* Here and not in Swift: a parameter keeps the addresses of its name and value, and those of Swift
   strings are gone after the call that makes the parameter. */
static inline int holdfast_hmac_sha256_begin(EVP_MAC_CTX *context, const unsigned char *key, size_t length) {
    OSSL_PARAM parameters[2] = {
        OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_init(context, key, length, parameters);
}

/* HKDF (RFC 5869) with SHA-256, both steps. */
static inline int holdfast_hkdf_sha256(EVP_KDF *kdf, const unsigned char *secret, size_t secret_length,
                                       const unsigned char *salt, size_t salt_length, const unsigned char *info,
                                       size_t info_length, unsigned char *output, size_t output_length) {
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    if (context == NULL) return 0;
    OSSL_PARAM parameters[5] = {
        OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string("key", (void *)secret, secret_length),
        OSSL_PARAM_construct_octet_string("salt", (void *)salt, salt_length),
        OSSL_PARAM_construct_octet_string("info", (void *)info, info_length),
        OSSL_PARAM_construct_end(),
    };
    int made = EVP_KDF_derive(context, output, output_length, parameters);
    EVP_KDF_CTX_free(context);
    return made;
}

/* GCM has no last block: it only compares the tag. */
static inline int holdfast_decrypt_end(EVP_CIPHER_CTX *context) {
    unsigned char nothing[EVP_MAX_BLOCK_LENGTH];
    int length = 0;
    return EVP_DecryptFinal_ex(context, nothing, &length);
}

static inline void holdfast_free(void *memory) {
    OPENSSL_free(memory);
}

/* A SubjectPublicKeyInfo that fills all of `der`; null for anything else. */
static inline EVP_PKEY *holdfast_key_from_info(const unsigned char *der, long length) {
    const unsigned char *next = der;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &next, length);
    if (key != NULL && next != der + length) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

/* A PKCS #1 RSAPublicKey that fills all of `der`; null for anything else. */
static inline EVP_PKEY *holdfast_key_from_pkcs1(const unsigned char *der, long length) {
    const unsigned char *next = der;
    EVP_PKEY *key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &next, length);
    if (key != NULL && next != der + length) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}
