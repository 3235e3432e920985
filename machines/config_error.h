// machines/config_error.h: the user asked for something that cannot be built. Thrown and caught only under
// machines/ and app/, before any guest instruction runs.
#pragma once
#include <stdexcept>
#include <string>

namespace sluice {

class ConfigError : public std::runtime_error {
 public:
  enum class Kind { Usage, File };  // exit status 64 or 65
  ConfigError(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  Kind kind() const { return kind_; }

  static ConfigError usage(const std::string& message) { return {Kind::Usage, message}; }
  static ConfigError file(const std::string& path, const std::string& message) {
    return {Kind::File, path + ": " + message};
  }
  // The message names the file already.
  static ConfigError image(const std::string& message) { return {Kind::File, message}; }

 private:
  Kind kind_;
};

}  // namespace sluice
