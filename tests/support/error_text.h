// SPDX-License-Identifier: EUPL-1.2
// The sentence of the Error that some work throws, for tests that promise what the user reads.
#pragma once

#include <string>

#include "base/error.h"

namespace lem::testing {

template <class Work>
std::string ErrorText(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace lem::testing
