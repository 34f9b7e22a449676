// A stand-in for libsasl2's plug-in "sasldb": the same plug-in, loaded and told its settings as ever, but the lookup that a
// login needs, the password of one user, is done by sasldb_file first. Whatever that does not find or does not understand
// is asked of the plug-in itself, so its answers, its errors and its words stay. Only successes are answered here.
//
// How: skip_sasldb, given to sasl_server_init() as a callback, keeps the library from loading the plug-in and remembers
// where it stands; add_sasldb() then loads it and registers it with the one function replaced. Once, before any thread.
#pragma once

#include <sasl/sasl.h>

namespace ekiden::sasl {

int skip_sasldb(void* context, const char* path, sasl_verify_type_t type);    // SASL_CB_VERIFYFILE
void add_sasldb();    // does nothing where the library found no such plug-in

}  // namespace ekiden::sasl
