// SPDX-License-Identifier: EUPL-1.2
// Where the time of a pass goes: a backend that hands every verb on to another one and keeps count
// of seconds, operations and bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace lem {

// One kind of work. Operations are of products alone (two a multiplication and addition), those of
// the mathematics: what a backend leaves out or does twice does not show here. Bytes are those of
// the operands, read and written once each.
struct ProfilePart {
  std::string name;
  int64_t calls = 0;
  double seconds = 0, operations = 0, bytes = 0;
};

class Profile {
 public:
  // By the seconds they took, the longest first. Parts that were never called are left out.
  std::vector<ProfilePart> Parts() const;

 private:
  friend class ProfiledBackend;
  std::vector<ProfilePart> parts_;
};

// `inner` and `profile` must outlive it. Results are inner's, to the bit. One caller at a time.
std::unique_ptr<Backend> MakeProfiledBackend(Backend& inner, Profile& profile);

}  // namespace lem
