// SPDX-License-Identifier: EUPL-1.2
// The terminal: the one place that prints. Results to stdout; progress, notes and warnings to
// stderr, as a live bar on a terminal and as plain lines otherwise.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "pipelines/progress.h"

namespace lem::cli {

void Print(std::string_view text);       // stdout; a closed pipe ends the program quietly
void PrintError(std::string_view text);  // stderr
void Flush();                            // stdout, so that streamed text appears

int TerminalWidth();  // columns of stdout's terminal, 80 when it is none; at least 20
bool StderrIsTerminal();
bool UseColor();  // stderr is a terminal and NO_COLOR is unset

// Breaks lines at spaces; every line starts with `indent` spaces. No trailing newline.
std::string Wrap(std::string_view text, int width, int indent);
std::string FormatBytes(double bytes);      // "94.2 MB"
std::string FormatSeconds(double seconds);  // "1 h 02 min", "3 min 10 s", "4.2 s"

class TerminalProgress final : public Progress {
 public:
  explicit TerminalProgress(bool quiet = false) : quiet_(quiet) {}
  ~TerminalProgress() override;
  void Begin(std::string_view what, int64_t total, std::string_view unit) override;
  void Update(int64_t done) override;
  void End() override;
  void Note(std::string_view line) override;
  void Warn(std::string_view line) override;
  // Clears a live bar so that other text can be printed; the next Update draws it again.
  void Hide();

 private:
  using Clock = std::chrono::steady_clock;
  std::string Line() const;
  bool quiet_;
  bool active_ = false, drawn_ = false;
  std::string what_, unit_;
  int64_t total_ = 0, done_ = 0;
  Clock::time_point begin_, last_;
};

}  // namespace lem::cli
