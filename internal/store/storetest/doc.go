// Package storetest is the contract of package store as a suite of tests: a driver is what passes Run.
//
// It knows nothing of any driver. A sentence of the contract that no test here holds is a wish.
package storetest
