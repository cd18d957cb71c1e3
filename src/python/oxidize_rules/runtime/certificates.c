/* Where OpenSSL finds the certificates of authorities, on whatever system it is.
 *
 * OpenSSL has one folder compiled in, and each system keeps its certificates elsewhere. So its two
 * questions for the default places come here (`--wrap`), when they are asked: what Python's `ssl`
 * tells of the default places is then true, too. SSL_CERT_FILE and SSL_CERT_DIR are OpenSSL's own
 * matter and come first. */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_access.h"

/* The first that can be read is taken. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch, Gentoo, NixOS */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL and their kin */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* the same, older */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
    "/var/lib/ca-certificates/ca-bundle.pem",            /* SUSE without the link above */
    "/etc/ssl/cert.pem",                                 /* Alpine, OpenSSL's own, the BSDs */
    "/etc/pki/tls/cacert.pem",                           /* OpenELEC */
    "/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD's package */
    "/usr/local/etc/ssl/cert.pem",                       /* the same, older */
    "/usr/share/ssl/certs/ca-bundle.crt",                /* before them all */
};

/* Folders with a file for each certificate, named by its hash. */
static const char *const folders[] = {
    "/etc/ssl/certs",               /* Debian, SUSE, Alpine; a link on Fedora */
    "/etc/pki/tls/certs",           /* Fedora, RHEL */
    "/var/lib/ca-certificates/pem", /* SUSE */
    "/usr/local/share/certs",       /* FreeBSD */
    "/system/etc/security/cacerts", /* Android */
};
/* What OpenSSL has compiled in: said where there is nothing. */
static const char no_bundle[] = "/etc/ssl/cert.pem", no_folder[] = "/etc/ssl/certs";

/* As OpenSSL names them: eight hexadecimal digits, a dot, a number. */
static bool is_hashed(const char *name) {
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' &&
           name[9] <= '9';
}

static bool has_certificates(const char *folder) {
    DIR *open = opendir(folder);
    bool found = false;
    struct dirent *entry;
    while (open && !found && (entry = readdir(open)) != NULL)
        found = is_hashed(entry->d_name);
    if (open)
        closedir(open);
    return found;
}

static const char *folder_of_host(void) {
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (has_certificates(folders[i]))
            return folders[i];
    return NULL;
}

static const char *bundle_of_host(void) {
    for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++)
        if (access(bundles[i], R_OK) == 0)
            return bundles[i];
    return NULL;
}

/* The package `certifi`, if it is in the image. The text stays where it is for good: OpenSSL and
 * Python keep the pointer for as long as they like. */
static const char *bundle_of_image(void) {
    static char found[PATH_MAX];
    const char *folder;
    for (uint32_t cursor = 0; (folder = oxidize_next_setting("path", &cursor)) != NULL;) {
        char inner[PATH_MAX];
        int length = snprintf(inner, sizeof inner, "%s/certifi/cacert.pem", folder);
        if (length < 0 || (size_t)length >= sizeof inner - sizeof OXIDIZE_ROOT ||
            oxidize_find_path(inner, (size_t)length) == OXIDIZE_NONE)
            continue;
        /* Every thread writes the same. */
        snprintf(found, sizeof found, OXIDIZE_ROOT "/%s", inner);
        return found;
    }
    return NULL;
}

/* Whoever names one place wants that one: then the other is OpenSSL's own. */
static bool chosen_by_user(void) { return getenv("SSL_CERT_FILE") || getenv("SSL_CERT_DIR"); }

const char *__wrap_X509_get_default_cert_file(void);
const char *__wrap_X509_get_default_cert_file(void) {
    const char *bundle = chosen_by_user() ? NULL : bundle_of_host();
    if (bundle == NULL && !chosen_by_user() && folder_of_host() == NULL)
        bundle = bundle_of_image();
    return bundle ? bundle : no_bundle;
}

const char *__wrap_X509_get_default_cert_dir(void);
const char *__wrap_X509_get_default_cert_dir(void) {
    const char *folder = chosen_by_user() ? NULL : folder_of_host();
    return folder ? folder : no_folder;
}
