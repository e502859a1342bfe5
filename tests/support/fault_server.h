// SPDX-License-Identifier: EUPL-1.2
// An HTTP server on loopback that misbehaves as told: every request is answered by a script, and a
// reply can be cut, dripped or reset. Plain sockets, because a polite library could not do that.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"

namespace lem::testing {

struct ServerRequest {
  std::string head, body;  // head: request line and headers
  std::chrono::steady_clock::time_point at = std::chrono::steady_clock::now();
};

struct ServerReply {
  enum class Way {
    kWhole,
    kHalf,   // half the body that Content-Length promises, then the end
    kDrip,   // a byte every `pause` milliseconds
    kReset,  // RST instead of a reply
  };
  int status = 200;
  std::string body = "";
  std::string headers = "";  // "Retry-After: 1\r\n"
  Way way = Way::kWhole;
  int pause = 0;  // milliseconds, before the reply or between its bytes
};

class FaultServer {
 public:
  // The number of the request counts from 0. Called from several threads, one at a time.
  using Script = std::function<ServerReply(int number, const ServerRequest& request)>;

  explicit FaultServer(Script script) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    LEM_CHECK(listener_ >= 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    LEM_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    LEM_CHECK(::listen(listener_, 64) == 0);
    socklen_t size = sizeof(address);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Accept(); });
  }
  ~FaultServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    for (std::thread& worker : workers_) worker.join();
  }
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<ServerRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void Accept() {
    while (!stopping_) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      workers_.emplace_back([this, fd] {
        Serve(fd);
        ::close(fd);
      });
    }
  }

  void Serve(int fd) {
    ServerRequest request;
    if (!Read(fd, &request)) return;
    ServerReply reply;
    {
      const std::lock_guard lock(mutex_);
      request.at = std::chrono::steady_clock::now();
      requests_.push_back(request);
      reply = script_(static_cast<int>(requests_.size()) - 1, request);
    }
    Write(fd, reply);
  }

  static bool Read(int fd, ServerRequest* request) {
    std::string data;
    char buffer[4096];
    while (data.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(fd, buffer, sizeof(buffer), 0);
      if (n <= 0) return false;
      data.append(buffer, static_cast<size_t>(n));
    }
    const size_t head = data.find("\r\n\r\n") + 4;
    request->head = data.substr(0, head);
    const size_t at = request->head.find("Content-Length: ");
    const size_t length = at == std::string::npos ? 0 : std::stoul(request->head.substr(at + 16));
    if (request->head.find("Expect: 100-continue") != std::string::npos && data.size() == head) {
      Send(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    while (data.size() < head + length) {
      const ssize_t n = ::recv(fd, buffer, sizeof(buffer), 0);
      if (n <= 0) return false;
      data.append(buffer, static_cast<size_t>(n));
    }
    request->body = data.substr(head);
    return true;
  }

  static bool Send(int fd, std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  void Pause(int milliseconds) const {
    for (int i = 0; i < milliseconds && !stopping_; i += 10) {
      std::this_thread::sleep_for(std::chrono::milliseconds(std::min(10, milliseconds - i)));
    }
  }

  void Write(int fd, const ServerReply& reply) const {
    if (reply.way == ServerReply::Way::kReset) {
      const linger now = {1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
      return;
    }
    if (reply.way != ServerReply::Way::kDrip) Pause(reply.pause);
    const std::string head = "HTTP/1.1 " + std::to_string(reply.status) +
                             " X\r\nContent-Type: application/json\r\nContent-Length: " +
                             std::to_string(reply.body.size()) + "\r\nConnection: close\r\n" +
                             reply.headers + "\r\n";
    if (!Send(fd, head)) return;
    if (reply.way == ServerReply::Way::kHalf) {
      Send(fd, std::string_view(reply.body).substr(0, reply.body.size() / 2));
    } else if (reply.way == ServerReply::Way::kDrip) {
      for (const char& byte : reply.body) {
        if (!Send(fd, {&byte, 1})) return;
        Pause(reply.pause);
      }
    } else {
      Send(fd, reply.body);
    }
  }

  Script script_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<ServerRequest> requests_;
  std::thread thread_;
  std::vector<std::thread> workers_;
};

}  // namespace lem::testing
