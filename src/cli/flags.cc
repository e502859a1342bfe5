// SPDX-License-Identifier: EUPL-1.2
#include "cli/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/error.h"
#include "cli/terminal.h"

namespace lem::cli {
namespace {

std::vector<std::string> SplitNames(const std::string& names) {
  std::vector<std::string> parts;
  std::istringstream in(names);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

template <class T>
T ReadNumber(const std::string& name, const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || read_to != end) {  // all of it: "12x" is not 12
    FailUsage(name, ": expected ", std::is_integral_v<T> ? "a whole number" : "a number",
              ", found \"", text, "\"");
  }
  return value;
}

template <class T>
std::string PrintNumber(T value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

// Levenshtein distance, for "did you mean".
size_t Distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row[b.size()];
}

}  // namespace

Flags::Flags(std::string usage, std::string about)
    : usage_(std::move(usage)), about_(std::move(about)) {}

Flags::Flag& Flags::Push(const std::string& names, std::string value_name,
                         const std::string& help) {
  Flag flag;
  flag.names = SplitNames(names);
  flag.value_name = std::move(value_name);
  flag.help = help;
  flag.section = section_;
  flags_.push_back(std::move(flag));
  return flags_.back();
}

Flags& Flags::Add(const std::string& names, std::string& value, const std::string& help) {
  Flag& flag = Push(names, "TEXT", help);
  flag.initial = value;
  flag.read = [&value](const auto& given) { value = given.back(); };
  return *this;
}

Flags& Flags::Add(const std::string& names, bool& value, const std::string& help) {
  Flag& flag = Push(names, "", help);
  flag.is_switch = true;
  flag.read = [&value](const auto&) { value = true; };
  return *this;
}

template <class T>
Flags& Flags::AddNumber(const std::string& names, T& value, const std::string& help) {
  Flag& flag = Push(names, "N", help);
  flag.initial = PrintNumber(value);
  const std::string name = flag.names[0];
  flag.read = [&value, name](const auto& given) { value = ReadNumber<T>(name, given.back()); };
  return *this;
}

template <class T>
Flags& Flags::AddOptionalNumber(const std::string& names, std::optional<T>& value,
                                const std::string& help) {
  Flag& flag = Push(names, "N", help);
  const std::string name = flag.names[0];
  flag.read = [&value, name](const auto& given) { value = ReadNumber<T>(name, given.back()); };
  return *this;
}

Flags& Flags::Add(const std::string& names, int& value, const std::string& help) {
  return AddNumber(names, value, help);
}
Flags& Flags::Add(const std::string& names, uint64_t& value, const std::string& help) {
  return AddNumber(names, value, help);
}
Flags& Flags::Add(const std::string& names, float& value, const std::string& help) {
  return AddNumber(names, value, help);
}
Flags& Flags::Add(const std::string& names, double& value, const std::string& help) {
  return AddNumber(names, value, help);
}
Flags& Flags::Add(const std::string& names, std::optional<int>& value, const std::string& help) {
  return AddOptionalNumber(names, value, help);
}
Flags& Flags::Add(const std::string& names, std::optional<uint64_t>& value,
                  const std::string& help) {
  return AddOptionalNumber(names, value, help);
}
Flags& Flags::Add(const std::string& names, std::optional<float>& value, const std::string& help) {
  return AddOptionalNumber(names, value, help);
}
Flags& Flags::Add(const std::string& names, std::optional<double>& value, const std::string& help) {
  return AddOptionalNumber(names, value, help);
}

Flags& Flags::Add(const std::string& names, std::vector<std::string>& values,
                  const std::string& help) {
  Flag& flag = Push(names, "TEXT...", help);
  flag.many = true;
  flag.read = [&values](const auto& given) { values = given; };
  return *this;
}

Flags& Flags::Add(const std::string& names, std::optional<std::string>& value,
                  const std::string& help) {
  Push(names, "TEXT", help).read = [&value](const auto& given) { value = given.back(); };
  return *this;
}

Flags& Flags::AddSetting(const std::string& names, Kind kind, const std::string& key,
                         Json& settings, const std::string& initial, const std::string& help) {
  static constexpr const char* kValueNames[] = {"TEXT", "N", "N", ""};
  Flag& flag = Push(names, kValueNames[static_cast<int>(kind)], help);
  flag.is_switch = kind == Kind::kSwitch;
  flag.initial = initial;
  const std::string name = flag.names[0];
  flag.read = [&settings, key, kind, name](const auto& given) {
    switch (kind) {
      case Kind::kText:
        return settings.Set(key, Json(given.back()));
      case Kind::kInteger:
        return settings.Set(key, Json(ReadNumber<int64_t>(name, given.back())));
      case Kind::kNumber:
        return settings.Set(key, Json(ReadNumber<double>(name, given.back())));
      case Kind::kSwitch:
        return settings.Set(key, Json(true));
    }
  };
  return *this;
}

Flags& Flags::AddTextBool(const std::string& names, bool& value, const std::string& help) {
  Flag& flag = Push(names, "True|False", help);
  flag.initial = value ? "True" : "False";
  const std::string name = flag.names[0];
  flag.read = [&value, name](const auto& given) {
    const std::string& text = given.back();
    const bool yes = text == "True" || text == "true" || text == "1" || text == "T";
    const bool no = text == "False" || text == "false" || text == "0" || text == "F";
    if (!yes && !no) FailUsage(name, ": expected True or False, found \"", text, "\"");
    value = yes;
  };
  return *this;
}

Flags& Flags::AddIgnored(const std::string& names, bool takes_value, const std::string& help) {
  Flag& flag = Push(names, takes_value ? "X" : "", help);
  flag.is_switch = !takes_value;
  flag.read = [](const auto&) {};
  return *this;
}

Flags& Flags::Positional(const std::string& name, std::string& value, const std::string& help,
                         bool required) {
  Flag& flag = Push(name, "", help);
  flag.positional = true;
  flag.required = required;
  flag.read = [&value](const auto& given) { value = given.back(); };
  return *this;
}

Flags& Flags::Positional(const std::string& name, std::vector<std::string>& values,
                         const std::string& help) {
  Flag& flag = Push(name, "", help);
  flag.positional = flag.many = true;
  flag.read = [&values](const auto& given) { values = given; };
  return *this;
}

Flags& Flags::Required() {
  flags_.back().required = true;
  return *this;
}

Flags& Flags::OneOf(std::vector<std::string> words) {
  flags_.back().value_name.clear();
  for (const std::string& word : words) {
    flags_.back().value_name += (flags_.back().value_name.empty() ? "" : "|") + word;
  }
  flags_.back().words = std::move(words);
  return *this;
}

Flags& Flags::Section(const std::string& title) {
  section_ = title;
  return *this;
}

bool Flags::Seen(const std::string& name) const {
  return std::ranges::any_of(flags_, [&](const Flag& flag) {
    return flag.seen && std::ranges::count(flag.names, name) > 0;
  });
}

std::string Flags::Nearest(const std::string& name) const {
  std::string best;
  size_t best_distance = std::max<size_t>(3, name.size() / 2);
  for (const Flag& flag : flags_) {
    for (const std::string& known : flag.names) {
      if (flag.positional || known.size() < 3) continue;
      if (const size_t d = Distance(name, known); d < best_distance)
        best = known, best_distance = d;
    }
  }
  return best;
}

bool Flags::Parse(const std::vector<std::string>& arguments) {
  if (std::ranges::any_of(arguments, [](const auto& a) { return a == "--help" || a == "-h"; })) {
    PrintHelp();
    return false;
  }
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<std::vector<std::string>> given(flags_.size());
  std::vector<CLI::Option*> options;
  for (size_t i = 0; i < flags_.size(); ++i) {
    const Flag& flag = flags_[i];
    std::string names;
    for (const std::string& name : flag.names) names += (names.empty() ? "" : ",") + name;
    if (flag.is_switch) {
      options.push_back(app.add_flag(names));
    } else {
      options.push_back(app.add_option(names, given[i]));
      options.back()->expected(1, flag.many ? CLI::detail::expected_max_vector_size : 1);
      if (!flag.many) options.back()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& e) {
    FailUsage(e.what(), "; see `lem ", usage_.substr(0, usage_.find(' ')), " --help`");
  }
  for (const std::string& extra : app.remaining()) {
    const std::string nearest =
        extra.starts_with("-") ? Nearest(extra.substr(0, extra.find('='))) : "";
    FailUsage(extra.starts_with("-") ? "unknown flag " : "unexpected argument ", extra,
              nearest.empty() ? "" : "; did you mean " + nearest + "?",
              nearest.empty() ? "; see `lem " : " See `lem ", usage_.substr(0, usage_.find(' ')),
              " --help`");
  }
  for (size_t i = 0; i < flags_.size(); ++i) {
    Flag& flag = flags_[i];
    flag.seen = options[i]->count() > 0;
    if (!flag.seen && flag.required) FailUsage("missing ", flag.names[0], ": ", flag.help);
    if (!flag.seen) continue;
    for (const std::string& text : given[i]) {
      if (!flag.words.empty() && std::ranges::count(flag.words, text) == 0) {
        FailUsage(flag.names[0], ": expected ", flag.value_name, ", found \"", text, "\"");
      }
    }
    flag.read(given[i]);
  }
  return true;
}

void Flags::PrintHelp() const {
  const int width = TerminalWidth();
  Print("usage: lem " + usage_ + "\n\n");
  Print(Wrap(about_, width, 0) + "\n");
  std::string section = "\n";
  for (const Flag& flag : flags_) {
    if (flag.section != section) {
      section = flag.section;
      Print("\n" + (section.empty() ? std::string() : section + ":\n"));
    }
    std::string left = "  ";
    for (const std::string& name : flag.names) left += (left.size() > 2 ? ", " : "") + name;
    if (!flag.value_name.empty() && !flag.positional) left += " " + flag.value_name;
    std::string right = flag.help;
    if (flag.required) right += " (required)";
    if (!flag.initial.empty()) right += " (default " + flag.initial + ")";
    constexpr int kColumn = 30;
    if (width < 60 || static_cast<int>(left.size()) >= kColumn - 1) {
      Print(left + "\n" + Wrap(right, width, width < 60 ? 6 : kColumn) + "\n");
    } else {
      left.resize(kColumn, ' ');
      Print(left + Wrap(right, width, kColumn).substr(kColumn) + "\n");
    }
  }
}

}  // namespace lem::cli
