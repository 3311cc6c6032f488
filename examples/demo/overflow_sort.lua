-- expect: stack overflow
-- table.sort whose comparator normalises the words it compares. Normalising
-- looks up letters, and the lookup sorts again. No function calls itself: the
-- recursion goes through table.sort and string.gsub.
local sort_letters
local function letter(text)
    return (string.gsub(text, ".", sort_letters))
end
local function tidy(word)
    return (string.gsub(word, "%a", letter))
end
function sort_letters(text)
    local letters = {text, text, text}
    table.sort(letters, function(a, b) return tidy(a) < tidy(b) end)
    return letters[1]
end
print(sort_letters("moat"))
