// base/result.h: a value or an error: the subset of std::expected that C++20 lacks.
#pragma once
#include <string>
#include <utility>
#include <variant>

namespace sluice {

template <class E>
struct Failure {
  E error;
};
template <class E>
Failure(E) -> Failure<E>;

template <class T, class E = std::string>
class [[nodiscard]] Result {
 public:
  Result(T value) : either_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure<E> f) : either_(std::in_place_index<1>, std::move(f.error)) {}
  explicit operator bool() const { return either_.index() == 0; }
  T& operator*() & { return std::get<0>(either_); }
  const T& operator*() const& { return std::get<0>(either_); }
  T&& operator*() && { return std::get<0>(std::move(either_)); }
  T* operator->() { return &std::get<0>(either_); }
  const T* operator->() const { return &std::get<0>(either_); }
  const E& error() const { return std::get<1>(either_); }

 private:
  std::variant<T, E> either_;
};

}  // namespace sluice
