-- expect: ok
-- Coroutines: a pipeline that sieves primes, two trees compared leaf by leaf
-- without building lists, and a scheduler of a thousand tasks.
local wrap, yield = coroutine.wrap, coroutine.yield

local function count_from(n)
    return wrap(function() while true do yield(n) n = n + 1 end end)
end
local function without(prime, source)
    return wrap(function()
        while true do
            local n = source()
            if n % prime ~= 0 then yield(n) end
        end
    end)
end
local source, primes = count_from(2), {}
for i = 1, 40 do
    primes[i] = source()
    source = without(primes[i], source)
end
assert(primes[40] == 173, primes[40])

local function leaves(tree)
    return wrap(function()
        local function walk(node)
            if type(node) ~= "table" then return yield(node) end
            for _, child in ipairs(node) do walk(child) end
        end
        walk(tree)
    end)
end
local function same_fringe(a, b)
    local next_a, next_b = leaves(a), leaves(b)
    repeat
        local x, y = next_a(), next_b()
        if x ~= y then return false end
    until x == nil
    return true
end
assert(same_fringe({1, {2, {3, 4}}, 5}, {{{1, 2}, 3}, {4, {5}}}))
assert(not same_fringe({1, {2, 3}}, {1, {3, 2}}))

local tasks, log = {}, 0
for id = 1, 1000 do
    tasks[id] = coroutine.create(function()
        for round = 1, 20 do
            log = (log * 31 + id * round) % 1000003
            yield()
        end
    end)
end
local turns = 0
while #tasks > 0 do
    local alive = {}
    for _, task in ipairs(tasks) do
        assert(coroutine.resume(task))
        turns = turns + 1
        if coroutine.status(task) ~= "dead" then alive[#alive + 1] = task end
    end
    tasks = alive
end
print("coroutines: 40th prime " .. primes[40] .. ", " .. turns .. " turns")
assert(turns == 21000)
