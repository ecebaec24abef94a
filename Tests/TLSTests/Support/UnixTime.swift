import Glibc

func unixTime() -> Int { time(nil) }
