// SPDX-License-Identifier: EUPL-1.2
#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace lem::cli {

void Print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) std::_Exit(141);
}
void PrintError(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }
void Flush() {
  if (std::fflush(stdout) != 0) std::_Exit(141);  // as a shell reports SIGPIPE
}

int TerminalWidth() {
  winsize size = {};
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
      return std::max<int>(size.ws_col, 20);
  }
  const char* columns = std::getenv("COLUMNS");
  const int width = columns ? std::atoi(columns) : 0;
  return width > 0 ? std::max(width, 20) : 80;
}

bool StderrIsTerminal() { return ::isatty(STDERR_FILENO) != 0; }

bool UseColor() {
  const char* no_color = std::getenv("NO_COLOR");
  return StderrIsTerminal() && !(no_color && *no_color);
}

std::string Wrap(std::string_view text, int width, int indent) {
  const size_t limit = static_cast<size_t>(std::max(width - 1, indent + 12));
  const std::string margin(static_cast<size_t>(indent), ' ');
  std::string out = margin;
  size_t column = margin.size();
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (column > margin.size() && column + 1 + word.size() > limit) {
      out += "\n" + margin;
      column = margin.size();
    } else if (column > margin.size()) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out;
}

std::string FormatBytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(kUnits)) bytes /= 1000, ++unit;
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string FormatSeconds(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02d} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02d} min", whole / 3600, whole / 60 % 60);
}

TerminalProgress::~TerminalProgress() { Hide(); }

std::string TerminalProgress::Line() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  const bool bytes = unit_ == "B";
  const auto amount = [&](int64_t n) {
    return bytes ? FormatBytes(static_cast<double>(n)) : fmt::format("{}", n);
  };
  std::string line = what_ + " " + amount(done_);
  if (total_ > 0) line += "/" + amount(total_);
  if (!bytes) line += " " + unit_;
  if (done_ > 0 && seconds > 0.5) {
    const double rate = static_cast<double>(done_) / seconds;
    line += bytes ? ", " + FormatBytes(rate) + "/s"
                  : fmt::format(", {:.{}f}/s", rate, rate < 10 ? 2 : 0);
    if (total_ > done_) {
      line += ", " + FormatSeconds(static_cast<double>(total_ - done_) / rate) + " left";
    }
  }
  return line;
}

void TerminalProgress::Begin(std::string_view what, int64_t total, std::string_view unit) {
  if (active_) End();
  what_ = what;
  unit_ = unit;
  total_ = total;
  done_ = 0;
  begin_ = last_ = Clock::now();
  active_ = true;
}

void TerminalProgress::Update(int64_t done) {
  if (!active_) return;
  done_ = done;
  if (quiet_) return;
  const auto now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  if (!StderrIsTerminal()) {  // a plain line now and then, for logs
    if (since < 10) return;
    last_ = now;
    PrintError(Line() + "\n");
    return;
  }
  if (since < 0.1 && done < total_) return;
  last_ = now;
  const int width = TerminalWidth();
  std::string line = Line();
  const int bar_width = std::min(24, width - static_cast<int>(line.size()) - 4);
  if (total_ > 0 && bar_width >= 8) {
    const auto full = static_cast<size_t>(bar_width * std::min(done_, total_) / total_);
    line = "[" + std::string(full, '#') + std::string(static_cast<size_t>(bar_width) - full, '.') +
           "] " + line;
  }
  line.resize(std::min(line.size(), static_cast<size_t>(width - 1)));
  PrintError("\r\x1b[K" + line);
  drawn_ = true;
}

void TerminalProgress::End() {
  Hide();
  active_ = false;
}

void TerminalProgress::Hide() {
  if (drawn_) PrintError("\r\x1b[K");
  drawn_ = false;
}

void TerminalProgress::Note(std::string_view line) {
  Hide();
  if (!quiet_) PrintError("note: " + std::string(line) + "\n");
}

void TerminalProgress::Warn(std::string_view line) {
  Hide();
  const bool color = UseColor();
  PrintError(std::string(color ? "\x1b[33m" : "") + "warning: " + (color ? "\x1b[0m" : "") +
             std::string(line) + "\n");
}

}  // namespace lem::cli
