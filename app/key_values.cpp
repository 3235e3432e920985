// app/key_values.cpp: see key_values.h.
#include "app/key_values.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "machines/config_error.h"

namespace sluice {
namespace {

// Splits at commas; ",," is a comma.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items(1);
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != ',') {
      items.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      items.back() += ',';
      i++;
    } else {
      items.emplace_back();
    }
  }
  return items;
}

std::string list_of(const std::vector<std::string_view>& words) {
  std::string all;
  for (std::string_view w : words) all += (all.empty() ? "" : ", ") + std::string{w};
  return all;
}

// Levenshtein distance, one row at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      size_t replace = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

KeyValues::KeyValues(std::string option, std::string_view text, std::string_view implied_key)
    : option_(std::move(option)) {
  bool first = true;
  for (std::string& item : split(text)) {
    size_t equals = item.find('=');
    if (equals != std::string::npos) {
      items_.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    } else if (first && !implied_key.empty()) {
      items_.emplace_back(implied_key, item);
    } else if (!item.empty()) {
      items_.emplace_back(item, "on");
    }
    first = false;
  }
}

std::optional<std::string> KeyValues::get(std::string_view key) const {
  for (auto item = items_.rbegin(); item != items_.rend(); ++item)
    if (item->first == key) return item->second;
  return std::nullopt;
}

std::string KeyValues::get_or(std::string_view key, std::string_view otherwise) const {
  return get(key).value_or(std::string{otherwise});
}

bool KeyValues::get_bool(std::string_view key, bool otherwise) const {
  auto text = get(key);
  if (!text) return otherwise;
  if (auto value = parse_bool(*text)) return *value;
  throw ConfigError::usage(option_ + ": " + std::string{key} + " expects 'on' or 'off', not '" + *text + "'");
}

u64 KeyValues::get_number(std::string_view key, u64 otherwise, u64 least, u64 most) const {
  auto text = get(key);
  if (!text) return otherwise;
  auto value = parse_number(*text);
  if (!value || *value < least || *value > most)
    throw ConfigError::usage(option_ + ": " + std::string{key} + " expects a number from " +
                             std::to_string(least) + " to " + std::to_string(most) + ", not '" + *text + "'");
  return *value;
}

std::string KeyValues::require(std::string_view key) const {
  auto value = get(key);
  if (!value || value->empty())
    throw ConfigError::usage(option_ + ": parameter '" + std::string{key} + "' is missing");
  return *value;
}

void KeyValues::allow_only(std::initializer_list<std::string_view> keys) const {
  allow_only(std::vector<std::string_view>{keys});
}

void KeyValues::allow_only(const std::vector<std::string_view>& keys) const {
  for (const auto& [key, value] : items_) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    std::string_view near = nearest(key, keys);
    throw ConfigError::usage(
        option_ + ": invalid parameter '" + key + "'" +
        (near.empty() ? " (known: " + list_of(keys) + ")" : "; did you mean '" + std::string{near} + "'?"));
  }
}

std::optional<bool> parse_bool(std::string_view text) {
  for (std::string_view yes : {"on", "yes", "true", "y"})
    if (text == yes) return true;
  for (std::string_view no : {"off", "no", "false", "n"})
    if (text == no) return false;
  return std::nullopt;
}

std::optional<u64> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) base = 16, text.remove_prefix(2);
  u64 value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<u64> parse_size(std::string_view text, u64 unit) {
  if (text.empty()) return std::nullopt;
  constexpr std::string_view kSuffixes = "bkmgt";
  size_t power = kSuffixes.find(char(std::tolower(text.back())));
  bool hexadecimal = text.starts_with("0x");
  if (power != kSuffixes.npos && !(hexadecimal && power == 0)) {
    unit = u64{1} << (10 * power);
    text.remove_suffix(1);
  }
  auto number = parse_number(text);
  if (!number || *number > ~u64{0} / unit) return std::nullopt;
  return *number * unit;
}

std::optional<u64> parse_duration(std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !(value >= 0)) return std::nullopt;
  std::string_view suffix{end, size_t(text.data() + text.size() - end)};
  double scale = suffix == "" || suffix == "s"      ? 1e9
                 : suffix == "ms"                   ? 1e6
                 : suffix == "us"                   ? 1e3
                 : suffix == "m" || suffix == "min" ? 60e9
                 : suffix == "h"                    ? 3600e9
                                                    : 0;
  if (scale == 0 || !(value * scale < 9e18)) return std::nullopt;
  return u64(value * scale);
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  if (word.empty()) return best;
  // Two mistakes (one exchange of neighbours), or more in a long word; never a wholly different one.
  size_t best_distance = std::min(word.size() - 1, std::max<size_t>(2, word.size() / 3)) + 1;
  for (std::string_view c : candidates) {
    size_t distance = edit_distance(word, c);
    if (distance < best_distance) best = c, best_distance = distance;
  }
  return best;
}

}  // namespace sluice
