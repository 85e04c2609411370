// Package sensor reads one number at a time from a real sensor of this machine, from a command, from standard input,
// or from a simulated one.
//
// A sensor is named by a spec, the same text that the command line takes:
//
//	iio:bme680/temp            an industrial I/O device by name, and its channel
//	hwmon:coretemp/temp1       a hardware monitor by name, and its input
//	thermal:x86_pkg_temp       a thermal zone by type or by folder name
//	exec:CMD                   the first number that CMD prints, run by the shell for each reading
//	stdin                      one number per line of standard input
//	simulated:bme680           a plausible room temperature; simulated:bme680?fail-every=5 fails every fifth reading
//
// Values are in the unit that people use: degrees Celsius, percent relative humidity, kilopascal, volt, ampere, watt.
// The package imports nothing of Thingwire and can be used by any program.
package sensor
