#pragma once
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <string.h>

/* A BIO that reads from and writes to the memory of one call.
 *
 * Each call of holdfast_tls_… lends it the bytes that came from the network and the room for those that
 * go there, and takes both back before it returns: no pointer to Swift's memory outlives the call.
 * What does not fit into the room waits in `rest`, which is there only while it has bytes. */
typedef struct {
    const unsigned char *input;
    size_t input_left;
    unsigned char *room;
    size_t room_left;
    unsigned char *rest;
    size_t rest_length;
    size_t rest_capacity;
    /* Where the chain of certificates failed; -1 if it did not. */
    int failed_depth;
} holdfast_transport;

static inline int holdfast_transport_create(BIO *bio) {
    holdfast_transport *transport = (holdfast_transport *)OPENSSL_zalloc(sizeof(holdfast_transport));
    if (transport == NULL) return 0;
    transport->failed_depth = -1;
    BIO_set_data(bio, transport);
    BIO_set_init(bio, 1);
    return 1;
}

static inline int holdfast_transport_destroy(BIO *bio) {
    holdfast_transport *transport = (holdfast_transport *)BIO_get_data(bio);
    if (transport != NULL) {
        OPENSSL_free(transport->rest);
        OPENSSL_free(transport);
        BIO_set_data(bio, NULL);
    }
    return 1;
}

static inline int holdfast_transport_read(BIO *bio, char *data, size_t length, size_t *count) {
    holdfast_transport *transport = (holdfast_transport *)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    if (transport->input_left == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *count = length < transport->input_left ? length : transport->input_left;
    memcpy(data, transport->input, *count);
    transport->input += *count;
    transport->input_left -= *count;
    return 1;
}

static inline int holdfast_transport_write(BIO *bio, const char *data, size_t length, size_t *count) {
    holdfast_transport *transport = (holdfast_transport *)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *count = length;
    size_t fitting = 0;
    if (transport->rest_length == 0 && transport->room_left > 0) {
        fitting = length < transport->room_left ? length : transport->room_left;
        memcpy(transport->room, data, fitting);
        transport->room += fitting;
        transport->room_left -= fitting;
    }
    size_t more = length - fitting;
    if (more == 0) return 1;
    if (transport->rest_length + more > transport->rest_capacity) {
        size_t capacity = 2 * transport->rest_capacity + more;
        unsigned char *larger = (unsigned char *)OPENSSL_realloc(transport->rest, capacity);
        if (larger == NULL) return 0;
        transport->rest = larger;
        transport->rest_capacity = capacity;
    }
    memcpy(transport->rest + transport->rest_length, data + fitting, more);
    transport->rest_length += more;
    return 1;
}

static inline long holdfast_transport_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static inline BIO_METHOD *holdfast_transport_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "holdfast");
    if (method == NULL) return NULL;
    BIO_meth_set_create(method, holdfast_transport_create);
    BIO_meth_set_destroy(method, holdfast_transport_destroy);
    BIO_meth_set_read_ex(method, holdfast_transport_read);
    BIO_meth_set_write_ex(method, holdfast_transport_write);
    BIO_meth_set_ctrl(method, holdfast_transport_control);
    return method;
}

static inline holdfast_transport *holdfast_transport_of(const SSL *ssl) {
    /* Not the write side: during a handshake that has a buffer in front. */
    return (holdfast_transport *)BIO_get_data(SSL_get_rbio(ssl));
}

/* What a call did: SSL_ERROR_… , how much it took and gave. */
typedef struct {
    int error;
    size_t input_used;
    size_t room_used;
    size_t count;
} holdfast_tls_step;

typedef enum { holdfast_tls_handshake, holdfast_tls_read, holdfast_tls_write, holdfast_tls_close } holdfast_tls_call;

static inline holdfast_tls_step holdfast_tls_run(SSL *ssl, holdfast_tls_call call, const void *input, size_t input_length,
                                                 void *room, size_t room_length, void *data, size_t data_length) {
    holdfast_transport *transport = holdfast_transport_of(ssl);
    transport->input = (const unsigned char *)input;
    transport->input_left = input_length;
    transport->room = (unsigned char *)room;
    transport->room_left = room_length;
    holdfast_tls_step step = {SSL_ERROR_NONE, 0, 0, 0};
    int result = 0;
    /* SSL_get_error looks at the queue, which others of this thread may have left full. */
    ERR_clear_error();
    switch (call) {
    case holdfast_tls_handshake: result = SSL_do_handshake(ssl); break;
    case holdfast_tls_read: result = SSL_read_ex(ssl, data, data_length, &step.count); break;
    case holdfast_tls_write: result = SSL_write_ex(ssl, data, data_length, &step.count); break;
    case holdfast_tls_close: result = SSL_shutdown(ssl) >= 0; break;
    }
    if (result != 1) step.error = SSL_get_error(ssl, result);
    step.input_used = input_length - transport->input_left;
    step.room_used = room_length - transport->room_left;
    transport->input = NULL;
    transport->input_left = 0;
    transport->room = NULL;
    transport->room_left = 0;
    return step;
}

static inline size_t holdfast_tls_rest(const SSL *ssl) {
    return holdfast_transport_of(ssl)->rest_length;
}

/* Moves all that waits into `room`, which has holdfast_tls_rest bytes. */
static inline void holdfast_tls_take_rest(SSL *ssl, void *room) {
    holdfast_transport *transport = holdfast_transport_of(ssl);
    memcpy(room, transport->rest, transport->rest_length);
    OPENSSL_free(transport->rest);
    transport->rest = NULL;
    transport->rest_length = 0;
    transport->rest_capacity = 0;
}

static inline int holdfast_tls_attach(SSL *ssl, const BIO_METHOD *method) {
    BIO *bio = BIO_new(method);
    if (bio == NULL) return 0;
    SSL_set_bio(ssl, bio, bio);
    return 1;
}

/* Remembers where in the chain a certificate was refused: OpenSSL tells only here. */
static inline int holdfast_tls_verified(int accepted, X509_STORE_CTX *store) {
    SSL *ssl = (SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    if (!accepted && ssl != NULL) holdfast_transport_of(ssl)->failed_depth = X509_STORE_CTX_get_error_depth(store);
    return accepted;
}

static inline int holdfast_tls_failed_depth(const SSL *ssl) {
    return holdfast_transport_of(ssl)->failed_depth;
}
