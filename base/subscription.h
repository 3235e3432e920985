// base/subscription.h: one link between a publisher and a listener; it ends when either side is destroyed.
// Not movable: the publisher holds its address (a moved one was a segfault in another emulator's notifier
// list). Publishing, subscribing and destroying may happen on different threads. Callbacks run with the list
// locked for sharing: they must not subscribe to, or unsubscribe from, the same publisher, and must not wait.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/types.h"

namespace sluice {

template <class Event>
class Publisher {
  struct List;

 public:
  class Subscription {
   public:
    Subscription(Publisher& from, std::function<void(const Event&)> deliver)
        : list_(from.list_), deliver_(std::move(deliver)) {
      std::unique_lock lock{list_->mutex};
      list_->members.push_back(this);
    }
    ~Subscription() {
      std::unique_lock lock{list_->mutex};
      std::erase(list_->members, this);
    }
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    // False once the publisher is gone.
    bool live() const {
      std::shared_lock lock{list_->mutex};
      return list_->live;
    }

   private:
    friend Publisher;
    std::shared_ptr<List> list_;
    std::function<void(const Event&)> deliver_;
  };

  Publisher() = default;
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;
  ~Publisher() {
    std::unique_lock lock{list_->mutex};
    list_->live = false;
    list_->members.clear();
  }
  void publish(const Event& event) const {
    std::shared_lock lock{list_->mutex};
    for (Subscription* s : list_->members) s->deliver_(event);
  }
  size_t subscriptions() const {
    std::shared_lock lock{list_->mutex};
    return list_->members.size();
  }

 private:
  struct List {
    mutable std::shared_mutex mutex;
    std::vector<Subscription*> members;
    bool live = true;
  };
  std::shared_ptr<List> list_ = std::make_shared<List>();
};

}  // namespace sluice
