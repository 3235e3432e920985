// base/small_vector.h: a growing list of plain values that needs no memory of its own while it is short.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace sluice {

template <class T, size_t kInside>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T>);

 public:
  SmallVector() {}
  SmallVector(SmallVector&& other) noexcept { *this = std::move(other); }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this == &other) return *this;
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, kInside);
    outside_ = std::move(other.outside_);
    if (!outside_) std::copy_n(other.inside_, size_, inside_);
    return *this;
  }
  SmallVector(const SmallVector&) = delete;
  SmallVector& operator=(const SmallVector&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return outside_ ? outside_.get() : inside_; }
  const T* data() const { return outside_ ? outside_.get() : inside_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T& back() { return data()[size_ - 1]; }
  void clear() { size_ = 0; }
  void push_back(const T& value) {
    if (size_ == capacity_) grow();
    data()[size_++] = value;
  }

 private:
  [[gnu::noinline]] void grow() {
    std::unique_ptr<T[]> larger(new T[capacity_ * 2]);
    std::copy_n(data(), size_, larger.get());
    outside_ = std::move(larger);
    capacity_ *= 2;
  }

  size_t size_ = 0, capacity_ = kInside;
  std::unique_ptr<T[]> outside_;
  T inside_[kInside];
};

}  // namespace sluice
