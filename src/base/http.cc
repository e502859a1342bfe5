// SPDX-License-Identifier: EUPL-1.2
#include "base/http.h"

#include <curl/curl.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <system_error>

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/stop.h"

namespace lem {
namespace {

using Outcome = HttpResponse::Outcome;

struct CurlDeleter {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Curl = std::unique_ptr<CURL, CurlDeleter>;
using HeaderList = std::unique_ptr<curl_slist, CurlDeleter>;

// What one transfer writes to and watches.
struct Transfer {
  std::string* body = nullptr;
  std::FILE* file = nullptr;
  size_t limit = 0, received = 0;
  uint64_t offset = 0;  // bytes that were there before a resumed download
  bool too_large = false;
  const std::function<void(uint64_t, uint64_t)>* progress = nullptr;
  CURL* curl = nullptr;
};

size_t OnData(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const size_t n = size * count;
  if (transfer.file) {
    long status = 0;
    curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300) return n;  // an error page is not part of the file
    return std::fwrite(data, 1, n, transfer.file);
  }
  transfer.received += n;
  if (transfer.received > transfer.limit) {
    transfer.too_large = true;
    return 0;
  }
  transfer.body->append(data, n);
  return n;
}

int OnProgress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.progress && *transfer.progress && now > 0) {
    (*transfer.progress)(transfer.offset + static_cast<uint64_t>(now),
                         total > 0 ? transfer.offset + static_cast<uint64_t>(total) : 0);
  }
  return StopRequested() ? 1 : 0;
}

Curl NewHandle(const HttpRequest& request, Transfer* transfer, HeaderList* headers) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  Curl curl(curl_easy_init());
  LEM_CHECK(curl != nullptr);
  transfer->curl = curl.get();
  curl_easy_setopt(curl.get(), CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, 8L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_USERAGENT, "lem");
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, 20000L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS,
                   static_cast<long>(request.timeout_seconds * 1000));
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_seconds));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, OnData);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, transfer);
  if (!request.bearer_token.empty()) {  // libcurl drops it when a redirect leaves the host
    curl_easy_setopt(curl.get(), CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl.get(), CURLOPT_XOAUTH2_BEARER, request.bearer_token.c_str());
  }
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers) {
    list = curl_slist_append(list, (name + ": " + value).c_str());
  }
  if (!request.body.empty()) {
    list = curl_slist_append(list, "Content-Type: application/json");
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, request.body.c_str());
  }
  headers->reset(list);
  if (list) curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, list);
  return curl;
}

Outcome OutcomeOf(CURLcode code, const Transfer& transfer) {
  if (code == CURLE_OK) return Outcome::kAnswered;
  if (transfer.too_large) return Outcome::kTooLarge;
  if (code == CURLE_ABORTED_BY_CALLBACK) return Outcome::kStopped;
  if (code == CURLE_OPERATION_TIMEDOUT) return Outcome::kTimeout;
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
      code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_UNSUPPORTED_PROTOCOL ||
      code == CURLE_URL_MALFORMAT || code == CURLE_SSL_CONNECT_ERROR ||
      code == CURLE_PEER_FAILED_VERIFICATION) {
    return Outcome::kUnreachable;
  }
  return Outcome::kBroken;
}

HttpResponse Finish(CURL* curl, CURLcode code, const Transfer& transfer) {
  HttpResponse response;
  response.outcome = OutcomeOf(code, transfer);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  curl_off_t retry_after = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
  if (retry_after > 0) response.retry_after_seconds = static_cast<double>(retry_after);
  if (code != CURLE_OK) {
    response.problem =
        transfer.too_large ? "the answer is larger than allowed" : curl_easy_strerror(code);
  }
  return response;
}

// A partial file ends here: bytes present, and the handle is told to ask for the rest.
uint64_t ResumeOffset(CURL* curl, const std::filesystem::path& part) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(part, error);
  if (error || size == 0) return 0;
  curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(size));
  return size;
}

HttpResponse DownloadOnce(const HttpRequest& request, const std::filesystem::path& part,
                          const std::function<void(uint64_t, uint64_t)>& progress) {
  Transfer transfer;
  transfer.progress = &progress;
  HeaderList headers;
  Curl curl = NewHandle(request, &transfer, &headers);
  transfer.offset = ResumeOffset(curl.get(), part);
  transfer.file = std::fopen(part.c_str(), transfer.offset > 0 ? "ab" : "wb");
  if (!transfer.file) Fail(part.string(), ": cannot write this file (", std::strerror(errno), ")");
  const CURLcode code = curl_easy_perform(curl.get());
  const bool written = std::fclose(transfer.file) == 0 && code != CURLE_WRITE_ERROR;
  if (!written)
    Fail(part.string(), ": writing failed; free some space and run again, it will continue");
  return Finish(curl.get(), code, transfer);
}

}  // namespace

HttpResponse Http(const HttpRequest& request) {
  Transfer transfer;
  std::string body;
  transfer.body = &body;
  transfer.limit = request.max_response_bytes;
  HeaderList headers;
  Curl curl = NewHandle(request, &transfer, &headers);
  const CURLcode code = curl_easy_perform(curl.get());
  HttpResponse response = Finish(curl.get(), code, transfer);
  response.body = std::move(body);
  return response;
}

void Download(const HttpRequest& request, const std::filesystem::path& target,
              const std::string& sha256,
              const std::function<void(uint64_t done, uint64_t total)>& progress) {
  std::filesystem::create_directories(target.parent_path());
  const std::filesystem::path part = target.string() + ".part";
  HttpResponse response = DownloadOnce(request, part, progress);
  if (response.outcome == Outcome::kAnswered && response.status == 416) {
    std::filesystem::remove(part);  // the part is as long as the file or longer: start over
    response = DownloadOnce(request, part, progress);
  }
  if (response.outcome == Outcome::kStopped) {
    throw Interrupted(target.string() + ": interrupted; run again to continue the download");
  }
  if (response.outcome != Outcome::kAnswered) {
    Fail(request.url, ": the download stopped (", response.problem, "); run again to continue it");
  }
  if (response.status != 200 && response.status != 206) {
    Fail(request.url, ": expected the file, the server answered ", response.status,
         response.status == 401 || response.status == 403
             ? "; the model may need an accepted licence and a token in HF_TOKEN"
             : "");
  }
  if (!sha256.empty()) {
    const std::string found = Sha256File(part);
    if (found != sha256) {
      std::filesystem::remove(part);
      Fail(request.url, ": expected SHA-256 ", sha256, ", found ", found,
           "; the file was removed, run again to fetch it anew");
    }
  }
  std::filesystem::rename(part, target);
}

}  // namespace lem
