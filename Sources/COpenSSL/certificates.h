#pragma once
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>

static inline EVP_PKEY *holdfast_make_p256_key(void) {
    return EVP_EC_gen("P-256");
}

/* The bytes of a memory BIO. */
static inline long holdfast_bio_bytes(BIO *bio, const unsigned char **bytes) {
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    *bytes = (const unsigned char *)data;
    return length;
}

/* Nobody is there to be asked for a pass phrase. */
static inline int holdfast_no_pass_phrase(char *buffer, int size, int writing, void *data) {
    (void)buffer, (void)size, (void)writing, (void)data;
    return -1;
}

static inline EVP_PKEY *holdfast_read_private_key(BIO *bio) {
    return PEM_read_bio_PrivateKey(bio, NULL, holdfast_no_pass_phrase, NULL);
}

static inline X509 *holdfast_read_certificate(BIO *bio) {
    return PEM_read_bio_X509(bio, NULL, holdfast_no_pass_phrase, NULL);
}

/* Whether reading PEM stopped because there was no more of it. */
static inline int holdfast_at_end_of_pem(void) {
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static inline int holdfast_print_name(BIO *bio, const X509_NAME *name) {
    return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0;
}

/* Seconds since 1970; 0 is returned for what is no time. */
static inline int holdfast_seconds(const ASN1_TIME *time, int64_t *seconds) {
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, rest = 0;
    int known = epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    *seconds = (int64_t)days * 86400 + rest;
    return known;
}

static inline int holdfast_set_times(X509 *certificate, int64_t first, int64_t last) {
    return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)first) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)last) != NULL;
}

static inline int holdfast_set_serial(X509 *certificate, const unsigned char *bytes, int length) {
    BIGNUM *number = BN_bin2bn(bytes, length, NULL);
    int set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set;
}

static inline int holdfast_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static inline GENERAL_NAMES *holdfast_alternative_names(const X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static inline int holdfast_name_count(const GENERAL_NAMES *names) {
    return names == NULL ? 0 : sk_GENERAL_NAME_num(names);
}

/* GEN_DNS, GEN_URI, GEN_IPADD or GEN_EMAIL with its bytes, or -1 for another kind. */
static inline int holdfast_name(const GENERAL_NAMES *names, int index, const unsigned char **bytes, int *length) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    switch (name->type) {
    case GEN_DNS:
    case GEN_URI:
    case GEN_EMAIL:
        *bytes = ASN1_STRING_get0_data(name->d.ia5);
        *length = ASN1_STRING_length(name->d.ia5);
        return name->type;
    case GEN_IPADD:
        *bytes = ASN1_STRING_get0_data(name->d.iPAddress);
        *length = ASN1_STRING_length(name->d.iPAddress);
        return name->type;
    default:
        return -1;
    }
}

/* Checks `chain[0]` by the rest of the chain and `roots`, at `seconds`. 0, or an X509_V_ERR_… and its depth. */
static inline int holdfast_check_chain(X509 *const *chain, int chain_length, X509 *const *roots, int root_count,
                                       int64_t seconds, int *depth) {
    int error = X509_V_ERR_OUT_OF_MEM;
    *depth = 0;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    if (store == NULL || context == NULL || between == NULL) goto end;
    for (int i = 0; i < root_count; i++)
        if (X509_STORE_add_cert(store, roots[i]) != 1) goto end;
    for (int i = 1; i < chain_length; i++)
        if (sk_X509_push(between, chain[i]) <= 0) goto end;
    if (X509_STORE_CTX_init(context, store, chain[0], between) != 1) goto end;
    X509_STORE_CTX_set_time(context, 0, (time_t)seconds);
    if (X509_verify_cert(context) == 1) {
        error = X509_V_OK;
    } else {
        error = X509_STORE_CTX_get_error(context);
        if (error == X509_V_OK) error = X509_V_ERR_UNSPECIFIED;
        *depth = X509_STORE_CTX_get_error_depth(context);
    }
end:
    sk_X509_free(between);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return error;
}
