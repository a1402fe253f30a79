// Package build builds the objects of tests.
package build
