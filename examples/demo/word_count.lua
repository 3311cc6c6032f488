-- expect: ok
-- Counts the words of a book-sized text and lists the most frequent ones.
local count, total, longest = {}, 0, ""
for line in io.lines("book.txt") do
    for word in line:lower():gmatch("%a+") do
        count[word] = (count[word] or 0) + 1
        total = total + 1
        if #word > #longest then longest = word end
    end
end

local words = {}
for word in pairs(count) do words[#words + 1] = word end
table.sort(words, function(a, b)
    if count[a] ~= count[b] then return count[a] > count[b] end
    return a < b
end)
for i = 1, 5 do
    io.write(string.format("%6d %s\n", count[words[i]], words[i]))
end
print(total .. " words, " .. #words .. " different, longest: " .. longest)
assert(total == 24314 and #words == 207)
assert(words[1] == "the" and count.the == 3449 and count["and"] == 1124)
