/*
 * fibers.cc: Boost.Fiber's side of bench/sched: the same programs, on one
 * thread, or each end of a channel on a thread of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstddef>
#include <cstring>
#include <thread>

#include <boost/fiber/all.hpp>

#include "bench/peers/fibers.h"

namespace
{

using boost::fibers::buffered_channel;
using boost::fibers::channel_op_status;
using boost::fibers::unbuffered_channel;

template <class Channel> void send_all(Channel &channel, std::size_t count)
{
    for (std::size_t i = 0; i < count; i++)
        channel.push(i);
    channel.close();
}

template <class Channel> std::size_t receive_all(Channel &channel)
{
    std::size_t item, sum = 0;

    while (channel.pop(item) == channel_op_status::success)
        sum += item;
    return sum;
}

template <class Channel>
std::size_t messages(Channel &channel, std::size_t count)
{
    std::size_t sum;
    boost::fibers::fiber sender(
        [&channel, count] { send_all(channel, count); });

    sum = receive_all(channel);
    sender.join();
    return sum;
}

std::size_t unbuffered(std::size_t count)
{
    unbuffered_channel<std::size_t> channel;

    return messages(channel, count);
}

/* Its capacity is a power of two. */
std::size_t buffered(std::size_t count)
{
    buffered_channel<std::size_t> channel(128);

    return messages(channel, count);
}

std::size_t across(std::size_t count)
{
    unbuffered_channel<std::size_t> channel;
    std::thread sender([&channel, count] { send_all(channel, count); });
    std::size_t sum = receive_all(channel);

    sender.join();
    return sum;
}

std::size_t spawn(std::size_t count)
{
    for (std::size_t i = 0; i < count; i++)
        boost::fibers::fiber([] {}).join();
    return count * (count - 1) / 2;
}

const struct {
    const char *name;
    std::size_t (*run)(std::size_t);
} programs[] = {{"unbuffered", unbuffered},
                {"buffered", buffered},
                {"across", across},
                {"spawn", spawn}};

} // namespace

int bench_fibers_run(const char *name, size_t count)
{
    for (const auto &program : programs)
        if (std::strcmp(program.name, name) == 0)
            return program.run(count) == count * (count - 1) / 2 ? 1 : -1;
    return 0;
}
