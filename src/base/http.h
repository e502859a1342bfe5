// SPDX-License-Identifier: EUPL-1.2
// HTTP(S) by libcurl: bounded, with time limits, interruptible by StopRequested. Secrets go in as a
// bearer token or header and never into an error message.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lem {

struct HttpRequest {
  std::string url;
  std::string bearer_token;  // empty: none
  std::vector<std::pair<std::string, std::string>>
      headers;                   // further headers; values are never logged
  std::string body;              // non-empty: POST, Content-Type application/json
  double timeout_seconds = 600;  // for the whole exchange
  double stall_seconds = 60;     // under 1 byte/s for so long ends it
  size_t max_response_bytes = size_t{64} << 20;
};

struct HttpResponse {
  // What became of the exchange as such; `status` is meaningful for kAnswered only.
  enum class Outcome : uint8_t { kAnswered, kUnreachable, kTimeout, kBroken, kTooLarge, kStopped };
  Outcome outcome = Outcome::kUnreachable;
  int status = 0;
  std::string body;
  double retry_after_seconds = -1;  // from Retry-After (seconds or a date); -1: absent
  std::string problem;              // one phrase, without secrets, when not kAnswered
};

// Never throws for what the network does.
HttpResponse Http(const HttpRequest& request);

// Downloads to `target`, continuing `target`.part when it is there; verifies the SHA-256 unless it
// is empty, then renames. progress(done, total) with total 0 when unknown. Throws Error, or
// Interrupted (the part file stays).
void Download(const HttpRequest& request, const std::filesystem::path& target,
              const std::string& sha256,
              const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace lem
