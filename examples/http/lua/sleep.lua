-- Others are served meanwhile.
sleep(tonumber(request.query) or 1)
return "awake\n"
