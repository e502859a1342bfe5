// SPDX-License-Identifier: EUPL-1.2
// Command-line flags. A flag is declared once, next to the variable it fills; that line gives its
// names, its default (the variable's value), its help, and its place in --help.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"

namespace lem::cli {

class Flags {
 public:
  // usage: what follows "lem " on the usage line, e.g. "pull NAME". about: one or two sentences.
  Flags(std::string usage, std::string about);

  // names: "--model" or "--max-tokens,-m". The overload by type decides what is accepted; a switch
  // (bool) takes no value. Half-numeric values are refused.
  Flags& Add(const std::string& names, std::string& value, const std::string& help);
  Flags& Add(const std::string& names, bool& value, const std::string& help);
  Flags& Add(const std::string& names, int& value, const std::string& help);
  Flags& Add(const std::string& names, uint64_t& value, const std::string& help);
  Flags& Add(const std::string& names, float& value, const std::string& help);
  Flags& Add(const std::string& names, double& value, const std::string& help);
  // May be given several times, and takes several values each time.
  Flags& Add(const std::string& names, std::vector<std::string>& values, const std::string& help);
  // For values that stay unset unless given.
  Flags& Add(const std::string& names, std::optional<std::string>& value, const std::string& help);
  Flags& Add(const std::string& names, std::optional<int>& value, const std::string& help);
  Flags& Add(const std::string& names, std::optional<uint64_t>& value, const std::string& help);
  Flags& Add(const std::string& names, std::optional<float>& value, const std::string& help);
  Flags& Add(const std::string& names, std::optional<double>& value, const std::string& help);
  // Puts the value into an object of settings under `key`, as an integer, a number, a text, or true
  // for a switch; for commands whose flags are merged with a configuration file. `initial` is shown
  // as the default.
  enum class Kind : uint8_t { kText, kInteger, kNumber, kSwitch };
  Flags& AddSetting(const std::string& names, Kind kind, const std::string& key, Json& settings,
                    const std::string& initial, const std::string& help);
  // A text boolean, "True" or "False", as mlx-lm's --verbose takes it.
  Flags& AddTextBool(const std::string& names, bool& value, const std::string& help);
  // Accepted for compatibility, with a sentence about what it does here.
  Flags& AddIgnored(const std::string& names, bool takes_value, const std::string& help);
  Flags& Positional(const std::string& name, std::string& value, const std::string& help,
                    bool required = true);
  Flags& Positional(const std::string& name, std::vector<std::string>& values,
                    const std::string& help);
  // The flag or positional added last must be given.
  Flags& Required();
  // The flag added last takes only these words.
  Flags& OneOf(std::vector<std::string> words);
  Flags& Section(const std::string& title);  // a heading in --help for what follows

  // Fills the variables. False after printing help. Throws UsageError naming what is unknown,
  // missing or malformed, with the nearest known flag.
  bool Parse(const std::vector<std::string>& arguments);
  bool Seen(const std::string& name) const;  // "--model"

 private:
  struct Flag {
    std::vector<std::string> names;
    std::string value_name, help, initial, section;
    std::function<void(const std::vector<std::string>&)> read;
    std::vector<std::string> words;
    bool is_switch = false, many = false, required = false, positional = false, seen = false;
  };
  Flag& Push(const std::string& names, std::string value_name, const std::string& help);
  template <class T>
  Flags& AddNumber(const std::string& names, T& value, const std::string& help);
  template <class T>
  Flags& AddOptionalNumber(const std::string& names, std::optional<T>& value,
                           const std::string& help);
  void PrintHelp() const;
  std::string Nearest(const std::string& name) const;

  std::string usage_, about_, section_;
  std::vector<Flag> flags_;
};

}  // namespace lem::cli
