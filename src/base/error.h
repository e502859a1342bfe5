// SPDX-License-Identifier: EUPL-1.2
// Errors: something outside the program is wrong (a file, a flag, a machine).
// Checks (check.h): the program itself is wrong. Never use one for the other.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace lem {

// Caught once, in cli/main.cc, which prints `lem <command>: <message>` and exits 1. The message is
// the whole user interface of a failure: where, what was expected, what was found, what to try.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A flag or value that the user can correct at once: exit code 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Ctrl-C was pressed and what was done has been saved: exit code 130.
class Interrupted : public Error {
 public:
  using Error::Error;
};

// Fail(path, ": header is ", n, " bytes, but the file has only ", size);
template <class... Parts>
[[noreturn]] void Fail(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(message.str());
}

template <class... Parts>
[[noreturn]] void FailUsage(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw UsageError(message.str());
}

}  // namespace lem
