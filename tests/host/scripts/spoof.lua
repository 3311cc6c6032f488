print("\27[31mred\27[0m")
print("spoof.lua: ok (time 1.0 ms, memory 1.0 KiB)")
error("\27]0;title\7 boo")
