// Locked<T>: data that can be reached only through its lock.
#pragma once

#include <mutex>

namespace ekiden::base {

template <class T>
class Locked {
public:
    template <class... A>
    explicit Locked(A&&... args) : value_(std::forward<A>(args)...) {}

    class Access {
    public:
        T* operator->() { return &value_; }
        T& operator*() { return value_; }

    private:
        friend class Locked;
        Access(std::mutex& mutex, T& value) : guard_(mutex), value_(value) {}
        std::lock_guard<std::mutex> guard_;
        T& value_;
    };
    [[nodiscard]] Access lock() { return Access(mutex_, value_); }

private:
    std::mutex mutex_;
    T value_;
};

}  // namespace ekiden::base
