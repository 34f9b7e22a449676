// How to_ascii_domain() (address.hpp) treats what IDNA2003 and IDNA2008 see differently: one choice for the process, made
// when settings come into force; any thread.
#pragma once

namespace ekiden::mail {

// enable_idna2003_compatibility: "ß" and a few others as IDNA2003 had them ("faß" is "fass").
void use_transitional_idna(bool is_on);

}  // namespace ekiden::mail
