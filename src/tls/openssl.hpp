// OpenSSL's objects with owners, and its error queue as text. Thread: any; the queue is the calling thread's.
#pragma once

#include "base/result.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace ekiden::tls {

template <auto release>
struct Release {
    template <class T>
    void operator()(T* object) const { release(object); }
};

using UniqueContext = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using UniqueSsl = std::unique_ptr<SSL, Release<SSL_free>>;
using UniqueKey = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using UniqueCertificate = std::unique_ptr<X509, Release<X509_free>>;
using UniqueBio = std::unique_ptr<BIO, Release<BIO_free_all>>;

// Empties the queue: "error:0A00010B:SSL routines::wrong version number:../ssl/record/ssl3_record.c:350:", oldest first,
// at most a dozen.
std::vector<std::string> take_openssl_errors();

// The reason of the oldest entry alone ("no start line"), for messages to people; empties the queue. `otherwise` if
// there is none.
std::string take_openssl_reason(std::string_view otherwise);

}  // namespace ekiden::tls
