#!/bin/sh
# Every header must compile alone: a reader can open any room first, and includes stay honest.
set -eu
cd "$(dirname "$0")/.."
status=0
for header in $(git ls-files --cached --others --exclude-standard 'src/*.hpp'); do
    printf '#include "%s"\n' "${header#src/}" |
        clang++-19 -std=c++23 -fsyntax-only -x c++ -Isrc -DBOOST_ASIO_NO_DEPRECATED -DBOOST_ASIO_SEPARATE_COMPILATION -Wall -Wextra - || {
        echo "check_headers: $header does not compile alone" >&2
        status=1
    }
done
exit $status
