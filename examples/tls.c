/*
 * tls.c: TLS for tasks, by OpenSSL's memory BIOs: OpenSSL reads and writes
 * memory, and the task moves the bytes between that and its socket.
 *
 * Shows: handshakes with deadlines, and a task that faults in the middle of a
 * TLS write, which costs its own client the connection, and no other.
 *
 * Try this: give a client a certificate of another name, by SSL_set1_host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <moat/sched.h>

#define MS     UINT64_C(1000000)
#define MINUTE (60000 * MS)

static void check(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* ---- A connection -------------------------------------------------------- */

struct tls {
    SSL *ssl;
    BIO *in, *out; /* from and to the socket */
    int fd;
    struct tls *next_lost;
};

/* A task that faulted in OpenSSL left its SSL object half changed: it is not
 * used again, not even to free it. Memory that OpenSSL had only just taken is
 * lost. */
static struct tls *lost;

static struct tls *open_tls(SSL_CTX *context, int fd)
{
    struct tls *tls = calloc(1, sizeof *tls);

    check(tls != NULL, "calloc");
    tls->fd = fd;
    tls->ssl = SSL_new(context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    check(tls->ssl != NULL && tls->in != NULL && tls->out != NULL, "SSL_new");
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    return tls;
}

/* For moat_co_defer: the task did not come to its close_tls. */
static void lose_tls(void *arg)
{
    struct tls *tls = *(struct tls **)arg;

    free(arg);
    if (tls == NULL)
        return;
    (void)moat_close(tls->fd);
    tls->next_lost = lost;
    lost = tls;
}

/* Sends what OpenSSL has written. */
static bool flush(const struct tls *tls, uint64_t deadline)
{
    char bytes[4096];
    int count;

    while ((count = BIO_read(tls->out, bytes, sizeof bytes)) > 0)
        if (moat_write(tls->fd, bytes, (size_t)count, deadline) < 0)
            return false;
    return true;
}

/* Receives what OpenSSL is to read. False: the end, or an error. */
static bool fill(const struct tls *tls, uint64_t deadline)
{
    char bytes[4096];
    ssize_t count = moat_read(tls->fd, bytes, sizeof bytes, deadline);

    return count > 0 && BIO_write(tls->in, bytes, (int)count) == count;
}

/* Returns whether to repeat a function of OpenSSL's, after the bytes that it
 * wants were moved. Errors are the thread's, so they are asked for before the
 * task waits. */
static bool again(const struct tls *tls, int result, uint64_t deadline)
{
    int error = SSL_get_error(tls->ssl, result);

    ERR_clear_error();
    return flush(tls, deadline) && error == SSL_ERROR_WANT_READ &&
           fill(tls, deadline);
}

/* Sends the alert that the stream ends here, so that no truncation is
 * suspected. */
static void close_tls(struct tls *tls)
{
    if (SSL_shutdown(tls->ssl) >= 0)
        (void)flush(tls, moat_now() + MINUTE);
    ERR_clear_error();
    (void)moat_close(tls->fd);
    SSL_free(tls->ssl);
    free(tls);
}

static bool shake_hands(const struct tls *tls, uint64_t deadline)
{
    int result;

    do
        result = SSL_do_handshake(tls->ssl);
    while (result != 1 && again(tls, result, deadline));
    return result == 1 && flush(tls, deadline);
}

/* 0: the end, or an error. */
static size_t read_tls(const struct tls *tls, char *to, int size,
                       uint64_t deadline)
{
    int result;

    do
        result = SSL_read(tls->ssl, to, size);
    while (result <= 0 && again(tls, result, deadline));
    return result > 0 ? (size_t)result : 0;
}

static bool write_tls(const struct tls *tls, const char *bytes, size_t size,
                      uint64_t deadline)
{
    int result;

    do
        result = SSL_write(tls->ssl, bytes, (int)size);
    while (result <= 0 && again(tls, result, deadline));
    return result > 0 && flush(tls, deadline);
}

/* ---- The server ---------------------------------------------------------- */

struct server {
    int listener;
    char port[8];
    uint64_t patience; /* for a handshake, in nanoseconds */
    SSL_CTX *context;
};

struct client {
    const struct server *server;
    int fd;
};

/* Two records, of which the second's bytes cannot be read. */
static void write_too_much(const struct tls *tls)
{
    size_t half = SSL3_RT_MAX_PLAIN_LENGTH;
    char *bytes = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(bytes != MAP_FAILED, "mmap");
    check(mprotect(bytes + half, half, PROT_NONE) == 0, "mprotect");
    (void)write_tls(tls, bytes, 2 * half, moat_now() + MINUTE);
}

/* Answers in capitals. */
static void answer(const struct tls *tls)
{
    char text[64];
    size_t size;

    while ((size = read_tls(tls, text, sizeof text, moat_now() + MINUTE)) !=
           0) {
        if (size == 5 && memcmp(text, "crash", 5) == 0)
            write_too_much(tls);
        for (size_t i = 0; i < size; i++)
            text[i] = (char)toupper((unsigned char)text[i]);
        if (!write_tls(tls, text, size, moat_now() + MINUTE))
            break;
    }
}

static void *serve(void *arg)
{
    struct client *client = arg;
    const struct server *server = client->server;
    struct tls **holder = calloc(1, sizeof(struct tls *));
    struct tls *tls = open_tls(server->context, client->fd);

    free(client);
    check(holder != NULL, "calloc");
    *holder = tls;
    check(moat_co_defer(moat_co_current(), lose_tls, holder) == MOAT_OK,
          "moat_co_defer");
    SSL_set_accept_state(tls->ssl);
    if (shake_hands(tls, moat_now() + server->patience))
        answer(tls);
    *holder = NULL;
    close_tls(tls);
    return NULL;
}

/* Until the listening socket is closed. */
static void *accept_all(void *arg)
{
    const struct server *server = arg;
    int fd;

    while ((fd = moat_accept(server->listener, MOAT_NO_DEADLINE)) >= 0) {
        struct client *client = malloc(sizeof *client);

        check(client != NULL, "malloc");
        *client = (struct client){server, fd};
        check(moat_task_spawn(NULL, serve, client, NULL, NULL) == MOAT_OK,
              "moat_task_spawn");
    }
    return NULL;
}

static void start(struct server *server, SSL_CTX *context, uint64_t patience)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    server->context = context;
    server->patience = patience;
    server->listener = moat_listen_tcp("127.0.0.1", "0", 0);
    check(server->listener >= 0, "moat_listen_tcp");
    check(getsockname(server->listener, (struct sockaddr *)&address, &length) ==
              0,
          "getsockname");
    (void)snprintf(server->port, sizeof server->port, "%d",
                   ntohs(address.sin_port));
    check(moat_task_spawn(NULL, accept_all, server, NULL, NULL) == MOAT_OK,
          "moat_task_spawn");
}

/* ---- Clients ------------------------------------------------------------- */

static int dial(const struct server *server)
{
    int fd = moat_dial_tcp("127.0.0.1", server->port, moat_now() + MINUTE);

    check(fd >= 0, "moat_dial_tcp");
    return fd;
}

static void talk(const struct server *server, SSL_CTX *context,
                 const char *text)
{
    struct tls *tls = open_tls(context, dial(server));
    uint64_t deadline = moat_now() + MINUTE;
    char reply[64];
    size_t size = 0;

    SSL_set_connect_state(tls->ssl);
    check(SSL_set1_host(tls->ssl, "localhost") == 1, "SSL_set1_host");
    if (shake_hands(tls, deadline) &&
        write_tls(tls, text, strlen(text), deadline))
        size = read_tls(tls, reply, sizeof reply, deadline);
    if (size != 0)
        printf("%s: %.*s\n", text, (int)size, reply);
    else
        printf("%s: the server has hung up\n", text);
    close_tls(tls);
}

/* Connects, and does not begin a handshake. */
static void keep_silent(const struct server *server)
{
    int fd = dial(server);
    char byte;

    if (moat_read(fd, &byte, 1, moat_now() + MINUTE) == 0)
        printf("silence: the server has hung up\n");
    (void)moat_close(fd);
}

/* ---- A certificate ------------------------------------------------------- */

/* Signed by itself, for an hour. */
static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name;

    check(certificate != NULL, "X509_new");
    name = X509_get_subject_name(certificate);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                     (const unsigned char *)"localhost", -1, -1,
                                     0) == 1 &&
              X509_set_issuer_name(certificate, name) == 1 &&
              X509_set_pubkey(certificate, key) == 1 &&
              X509_sign(certificate, key, EVP_sha256()) != 0,
          "X509_sign");
    return certificate;
}

static void make_contexts(SSL_CTX **server, SSL_CTX **client)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate;

    check(key != NULL, "EVP_EC_gen");
    certificate = make_certificate(key);
    *server = SSL_CTX_new(TLS_server_method());
    *client = SSL_CTX_new(TLS_client_method());
    check(*server != NULL && *client != NULL, "SSL_CTX_new");
    check(SSL_CTX_use_certificate(*server, certificate) == 1 &&
              SSL_CTX_use_PrivateKey(*server, key) == 1 &&
              X509_STORE_add_cert(SSL_CTX_get_cert_store(*client),
                                  certificate) == 1,
          "SSL_CTX_use_certificate");
    SSL_CTX_set_verify(*client, SSL_VERIFY_PEER, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void *play(void *arg)
{
    static struct server server, impatient;
    SSL_CTX *for_server, *for_client;

    make_contexts(&for_server, &for_client);
    start(&server, for_server, MINUTE);
    start(&impatient, for_server, 50 * MS);
    talk(&server, for_client, "hello");
    talk(&server, for_client, "crash");
    keep_silent(&impatient);
    talk(&server, for_client, "bye");
    (void)moat_close(server.listener); /* ends accept_all */
    (void)moat_close(impatient.listener);
    SSL_CTX_free(for_client);
    SSL_CTX_free(for_server);
    return arg;
}

int main(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_task_options task = MOAT_TASK_OPTIONS_INIT;

    task.stack_bytes = (size_t)256 << 10; /* OpenSSL takes more than most */
    options.task = &task;
    return moat_sched_run(&options, play, NULL, NULL) == MOAT_OK ? 0 : 1;
}
