package sensor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// file is a sensor that is a number in a file, as the kernel shows them: value = (raw + offset) * scale.
type file struct {
	spec, path    string
	offset, scale float64
}

func (f *file) Read(ctx context.Context) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	raw, err := readNumber(f.path)
	if err != nil {
		return 0, err
	}
	return (raw + f.offset) * f.scale, nil
}

func (f *file) String() string { return f.spec }

func (f *file) Close() error { return nil }

// openThermal opens /sys/class/thermal/thermal_zoneN by type or folder name. The kernel gives millidegrees.
func (s System) openThermal(name string) (Sensor, error) {
	if name == "" {
		return nil, fmt.Errorf("sensor %q: name the zone, as in thermal:thermal_zone0", "thermal:")
	}
	for _, zone := range s.folders("sys/class/thermal", "thermal_zone*") {
		if filepath.Base(zone) == name || readText(filepath.Join(zone, "type")) == name {
			return existing(&file{spec: "thermal:" + name, path: filepath.Join(zone, "temp"), scale: 1e-3})
		}
	}
	return nil, fmt.Errorf("sensor %q: no such thermal zone under %s", "thermal:"+name, s.path("sys/class/thermal"))
}

// hwmonScales are the units of Documentation/hwmon/sysfs-interface: what one count is worth.
var hwmonScales = []struct {
	prefix string
	scale  float64
}{
	{"temp", 1e-3}, {"humidity", 1e-3}, {"in", 1e-3}, {"curr", 1e-3}, {"power", 1e-6}, {"energy", 1e-6}, {"fan", 1},
}

// openHwmon opens /sys/class/hwmon/hwmonN/INPUT_input, the monitor by its name or folder name.
func (s System) openHwmon(rest string) (Sensor, error) {
	name, input, given := strings.Cut(rest, "/")
	if name == "" {
		return nil, fmt.Errorf("sensor %q: name the monitor, as in hwmon:coretemp/temp1", "hwmon:")
	}
	for _, dir := range s.folders("sys/class/hwmon", "hwmon*") {
		if filepath.Base(dir) != name && readText(filepath.Join(dir, "name")) != name {
			continue
		}
		if !given {
			input = firstTemperature(dir)
		}
		scale, err := hwmonScale(input)
		if err != nil {
			return nil, err
		}
		return existing(&file{spec: "hwmon:" + name + "/" + input, path: filepath.Join(dir, input+"_input"), scale: scale})
	}
	return nil, fmt.Errorf("sensor %q: no such monitor under %s", "hwmon:"+rest, s.path("sys/class/hwmon"))
}

func hwmonScale(input string) (float64, error) {
	word := strings.TrimRight(input, "0123456789")
	for _, s := range hwmonScales {
		if s.prefix == word && word != input {
			return s.scale, nil
		}
	}
	return 0, fmt.Errorf("hwmon input %q: use temp1, humidity1, in1, curr1, power1, energy1 or fan1 and the like", input)
}

// firstTemperature is the lowest numbered temperature input of a monitor, temp1 where there is none.
func firstTemperature(dir string) string {
	inputs, _ := filepath.Glob(filepath.Join(dir, "temp*_input"))
	if len(inputs) == 0 {
		return "temp1"
	}
	sortNumbered(inputs)
	return strings.TrimSuffix(filepath.Base(inputs[0]), "_input")
}

// openIIO opens a channel of /sys/bus/iio/devices/iio:deviceN, the device by its name or folder name. A processed
// value (in_X_input) is preferred over a raw one (in_X_raw with in_X_offset and in_X_scale).
func (s System) openIIO(rest string) (Sensor, error) {
	name, channel, given := strings.Cut(rest, "/")
	if name == "" {
		return nil, fmt.Errorf("sensor %q: name the device, as in iio:bme680/temp", "iio:")
	}
	if !given {
		channel = "temp"
	}
	if channel == "" || strings.ContainsAny(channel, `/\*?[`) {
		return nil, fmt.Errorf("iio channel %q: use temp, humidityrelative, pressure and the like", channel)
	}
	for _, dir := range s.folders("sys/bus/iio/devices", "iio:device*") {
		base := filepath.Base(dir)
		if base == name || base == "iio:"+name || readText(filepath.Join(dir, "name")) == name {
			return iioChannel(dir, name, channel)
		}
	}
	return nil, fmt.Errorf("sensor %q: no such device under %s", "iio:"+rest, s.path("sys/bus/iio/devices"))
}

func iioChannel(dir, name, channel string) (Sensor, error) {
	f := &file{spec: "iio:" + name + "/" + channel, scale: iioUnit(channel)}
	in := filepath.Join(dir, "in_"+channel)
	if _, err := os.Stat(in + "_input"); err == nil {
		f.path = in + "_input"
		return f, nil
	}
	f.path = in + "_raw"
	if scale, err := readNumber(in + "_scale"); err == nil {
		f.scale *= scale
	}
	if offset, err := readNumber(in + "_offset"); err == nil {
		f.offset = offset
	}
	return existing(f)
}

// iioUnit is the kernel's unit (Documentation/ABI/testing/sysfs-bus-iio) in ours: temperatures come in
// millidegrees, humidity in thousandths of a percent, voltage and current in milli.
func iioUnit(channel string) float64 {
	switch strings.TrimRight(channel, "0123456789") {
	case "temp", "humidityrelative", "voltage", "current", "power":
		return 1e-3
	}
	return 1
}

// existing answers f if its file is there.
func existing(f *file) (Sensor, error) {
	if _, err := os.Stat(f.path); err != nil {
		return nil, fmt.Errorf("sensor %q: %w", f.spec, err)
	}
	return f, nil
}

func (s System) path(below string) string {
	if s.Root == "" {
		return "/" + below
	}
	return filepath.Join(s.Root, below)
}

// folders are those below that match pattern, by number.
func (s System) folders(below, pattern string) []string {
	dirs, _ := filepath.Glob(filepath.Join(s.path(below), pattern))
	sortNumbered(dirs)
	return dirs
}

// sortNumbered puts temp10 behind temp2.
func sortNumbered(paths []string) {
	slices.SortFunc(paths, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

func readText(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

func readNumber(path string) (float64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
	if err != nil {
		return 0, fmt.Errorf("%s does not hold a number", path)
	}
	return v, nil
}
