// app/pattern.h: a POSIX extended regular expression, as grep -E has them.
#pragma once
#include <memory>
#include <string>

namespace sluice {

class Pattern {
 public:
  // Throws ConfigError (usage); `option` is for its message.
  Pattern(const std::string& option, const std::string& text);
  const std::string& text() const { return text_; }
  bool found_in(const std::string& line) const;

 private:
  struct Compiled;
  std::string text_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace sluice
