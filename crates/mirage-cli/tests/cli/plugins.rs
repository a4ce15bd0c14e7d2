//! Plugins: good ones are as what is built in, bad ones are refused with their own words, and the
//! program goes on.
