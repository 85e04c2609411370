package payload

// example is a frame and what a configuration reads in it: name=value, a comma and a blank between them, characters in
// quotes.
type example struct {
	number       int
	config, data string
	want         string
}

// examples pin the grammar. Rows 1, 42, 49, 50 and 51 are Sigfox's own, results included; 12, 23, 41, 43 and 48 are vectors of
// integrators' published tests; the configurations of 11, 24, 52 to 54, 57, 58 and 69 are from manufacturers' sheets and pin
// where a field starts. Rows 55 against 56 and 59 against 60 are the classic mistake, a value right after bits reads their byte
// again. Row 68 is the length of Sigfox's last example, which asks for 32 bits where 27 are left and states the value of the
// last 26: no reading of the grammar yields that, and it is no example here.
var examples = []example{
	// Plain integers.
	{1, `int1::uint:8 int2::uint:8`, "1234", `int1=18, int2=52`},
	{2, `u::uint:16`, "0102", `u=258`},
	{3, `u::uint:16:little-endian`, "0102", `u=513`},
	{4, `u::uint:16:big-endian`, "0102", `u=258`},
	{5, `seq::uint:24`, "0003E8", `seq=1000`},
	{6, `u::uint:32`, "DEADBEEF", `u=3735928559`},
	{7, `u::uint:32:little-endian`, "DEADBEEF", `u=4022250974`},
	{8, `u::uint:40`, "0102030405", `u=4328719365`},
	{9, `u::uint:64`, "FFFFFFFFFFFFFFFF", `u=18446744073709551615`},
	{10, `u::uint:64:little-endian`, "0102030405060708", `u=578437695752307201`},
	{11, `temp::uint:8 pressure::uint:16`, "1C03F4", `temp=28, pressure=1012`},
	{12, `counter::uint:32 param1::uint:32 param2::uint:8 degC::uint:8 mv::uint:16`, "000000020000000000230C6F", `counter=2, param1=0, param2=0, degC=35, mv=3183`},
	// Signed integers (two's complement over the declared width).
	{13, `t::int:8`, "FF", `t=-1`},
	{14, `t::int:8`, "80", `t=-128`},
	{15, `t::int:8`, "7F", `t=127`},
	{16, `t::int:16`, "FF06", `t=-250`},
	{17, `t::int:16:little-endian`, "06FF", `t=-250`},
	{18, `t::int:12`, "FFF0", `t=-1`},
	{19, `t::int:12`, "7FF0", `t=2047`},
	{20, `t::int:24`, "FFFFFE", `t=-2`},
	{21, `t::int:32`, "FFFFFFFE", `t=-2`},
	{22, `t::int:64`, "8000000000000000", `t=-9223372036854775808`},
	{23, `light::uint:16 temperature:2:int:8`, "171318", `light=5907, temperature=24`},
	{24, `mode::uint:8 kg::int:32:little-endian mt::uint:16:little-endian t::uint:16:little-endian bat::uint:16:little-endian x::uint:8`, "07D007000003000400050006", `mode=7, kg=2000, mt=3, t=4, bat=5, x=6`},
	{25, `temp::int:16 hum::uint:8 bat::uint:8`, "08FE3A64", `temp=2302, hum=58, bat=100`},
	// Floats.
	{26, `temp::float:32`, "41C80000", `temp=25.0`},
	{27, `temp::float:32`, "41C8CCCD", `temp=25.1`},
	{28, `temp::float:32`, "41AAF5C3", `temp=21.37`},
	{29, `temp::float:32`, "C0500000", `temp=-3.25`},
	{30, `temp::float:32`, "00000000", `temp=0.0`},
	{31, `temp::float:32`, "80000000", `temp=-0.0`},
	{32, `temp::float:32`, "3DCCCCCD", `temp=0.1`},
	{33, `temp::float:32:little-endian`, "0000C841", `temp=25.0`},
	{34, `temp::float:32:little-endian`, "CDCCC841", `temp=25.1`},
	{35, `temp::float:32`, "CDCCC841", `temp=-4.294595E8`},
	{36, `d::float:64`, "4039000000000000", `d=25.0`},
	{37, `d::float:64:little-endian`, "9A99999999193940", `d=25.1`},
	{38, `temp::float:32`, "7F800000", `temp=null`},
	{39, `temp::float:32`, "7FC00000", `temp=null`},
	{40, `lat::float:32 lng::float:32 hdop::uint:8 sats::uint:8`, "422F1B8B3FB9A2E40A07", `lat=43.776897, lng=1.4502835, hdop=10, sats=7`},
	{41, `Battery::uint:8 pH::uint:16:little-endian Cond::float:32:little-endian DO::uint:16:little-endian Temp::uint:16:little-endian`, "1E660382BA583FF426D609", `Battery=30, pH=870, Cond=0.8465959, DO=9972, Temp=2518`},
	// Characters.
	{42, `str::char:6 i1::uint:16 i2::uint:32`, "41424344454601234567890A", `str="ABCDEF", i1=291, i2=1164413194`},
	{43, `s::char:12`, "48656C6C6F20776F726C6421", `s="Hello world!"`},
	{44, `tag::char:2 n::uint:8`, "4F4B05", `tag="OK", n=5`},
	// Booleans.
	{45, `b::bool:0`, "01", `b=true`},
	{46, `b::bool:0`, "FE", `b=false`},
	{47, `b::bool:7`, "80", `b=true`},
	{48, `b1:0:bool:7 b2:0:bool:6 b3:0:bool:5`, "B1", `b1=true, b2=false, b3=true`},
	{49, `b1::bool:7 b2::bool:6 i1:1:uint:16`, "C01234", `b1=true, b2=true, i1=4660`},
	{50, `b1::bool:7 b2::bool:6 i1:1:uint:16:little-endian`, "801234", `b1=true, b2=false, i1=13330`},
	{51, `b1::bool:7 b2::bool:6 i1:1:uint:16:little-endian i2::uint:8`, "80123456", `b1=true, b2=false, i1=13330, i2=86`},
	{52, `d::uint:16:little-endian hit::bool:7`, "E80380", `d=1000, hit=true`},
	{53, `d::uint:16:little-endian hit::bool:7`, "E80300", `d=1000, hit=false`},
	{54, `Temp::float:32 Bat::uint:8 D8::bool:7 D1::bool:0`, "41BC00005F81", `Temp=23.5, Bat=95, D8=true, D1=true`},
	{55, `flag::bool:7 v::int:8`, "8105", `flag=true, v=-127`},
	{56, `flag::bool:7 v:1:int:8`, "81FB", `flag=true, v=-5`},
	// Bit fields.
	{57, `speed::uint:8 dir::uint:4 status:1:uint:4::3`, "2A95", `speed=42, dir=9, status=5`},
	{58, `dir::uint:4 status::uint:4`, "9512", `dir=9, status=1`},
	{59, `a::uint:4 b:0:uint:4::3 c::uint:8`, "A5FF", `a=10, b=5, c=165`},
	{60, `a::uint:4 b:0:uint:4::3 c:1:uint:8`, "A5FF", `a=10, b=5, c=255`},
	{61, `a::uint:12 b:1:uint:12::3`, "ABCDEF", `a=2748, b=3567`},
	{62, `a:0:uint:2 b:0:uint:3::5 c:0:uint:3::2`, "B1", `a=2, b=6, c=1`},
	{63, `b::bool:7 n:0:uint:7:6`, "85", `b=true, n=5`},
	{64, `b::bool:7 n::uint:7::6`, "85", `b=true, n=5`},
	{65, `u::uint:1`, "80", `u=1`},
	{66, `u::uint:1::0`, "01", `u=1`},
	{67, `u::uint:8::3`, "123456", `u=35`},
	{68, `u::uint:27:2`, "4567890A", `u=90671370`},
	{69, `s1::uint:24 s2::uint:24 s3::uint:16 s4::uint:16 b7::bool:7 b0::bool:0 sum::uint:8 bat::uint:8`, "000001000002000300048164", `s1=1, s2=2, s3=3, s4=4, b7=true, b0=true, sum=129, bat=100`},
	// Overlap, reordering, gaps.
	{70, `whole:0:uint:32 hi:0:uint:16 lo:2:uint:16`, "DEADBEEF", `whole=3735928559, hi=57005, lo=48879`},
	{71, `x:2:uint:8 y::uint:8 z:0:uint:8`, "01020304", `x=3, y=4, z=1`},
	{72, `last:11:uint:8`, "000000000000000000000007", `last=7`},
	{73, `a:1:uint:8`, "0A0B0C", `a=11`},
	{74, `t:0:float:32 raw:0:uint:32`, "41C80000", `t=25.0, raw=1103626240`},
	// Short, long and empty payloads.
	{75, `temp::float:32`, "41C800", `temp=null`},
	{76, `temp::float:32`, "", `temp=null`},
	{77, `temp::float:32`, "41C80000FF", `temp=25.0`},
	{78, `a::uint:8 b::uint:8 c::uint:8`, "0102", `a=1, b=2, c=null`},
	{79, `a::uint:16 b::bool:7`, "0102", `a=258, b=null`},
	{80, `t1::uint:8 t2::uint:8 t3::uint:8`, "15", `t1=21, t2=null, t3=null`},
	{81, `a::uint:32 b:0:uint:8`, "0102", `a=null, b=1`},
	{82, `   a::uint:8    b::uint:8 `, "0102", `a=1, b=2`},
	{83, ``, "0102", ``},
	{84, `a-b_c::uint:8`, "09", `a-b_c=9`},
}
