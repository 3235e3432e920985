// app/key_values.h: "driver,key=value,flag": the syntax of structured options. A comma inside a value is
// written twice; a key without a value means "on".
#pragma once
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"

namespace sluice {

// All throwing members throw ConfigError (usage) with a message that names the option.
class KeyValues {
 public:
  // `option` is for messages. With `implied_key`, the first item may be a bare value of that key.
  KeyValues(std::string option, std::string_view text, std::string_view implied_key = {});

  const std::string& option() const { return option_; }
  // The last value of the key, as later ones win.
  std::optional<std::string> get(std::string_view key) const;
  std::string get_or(std::string_view key, std::string_view otherwise) const;
  bool get_bool(std::string_view key, bool otherwise) const;
  u64 get_number(std::string_view key, u64 otherwise, u64 least, u64 most) const;
  std::string require(std::string_view key) const;
  // Throws for a key that is not in the list, and says which ones are.
  void allow_only(std::initializer_list<std::string_view> keys) const;
  void allow_only(const std::vector<std::string_view>& keys) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return items_; }

 private:
  std::string option_;
  std::vector<std::pair<std::string, std::string>> items_;
};

// "on", "off", "yes", "no", "true", "false"; nothing for anything else.
std::optional<bool> parse_bool(std::string_view text);
// Decimal, 0x hexadecimal; nothing when there is anything else in the text or it does not fit.
std::optional<u64> parse_number(std::string_view text);
// A number with an optional k, M, G or T (powers of 1024); `unit` multiplies a number without a suffix.
std::optional<u64> parse_size(std::string_view text, u64 unit);
// "10s", "250ms", "2m", "1.5"; seconds without a suffix. In nanoseconds.
std::optional<u64> parse_duration(std::string_view text);
// The candidate that is spelled most like `word`, or "" when none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace sluice
