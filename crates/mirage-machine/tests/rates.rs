//! Rates are what they claim to be, whatever the machine.

use std::time::Duration;

use mirage_machine::{RateError, RateOptions, measure_rates, measure_roofline};

fn quick(threads: usize) -> RateOptions {
    RateOptions {
        threads,
        budget: Duration::from_millis(20),
    }
}

#[test]
fn rates_are_measured_with_any_number_of_threads() {
    for threads in [1, 3] {
        let rates = measure_rates(&quick(threads)).unwrap();
        assert_eq!(rates.threads, threads);
        for rate in [rates.fma_gflops, rates.copy_gbytes, rates.read_gbytes] {
            assert!(rate.is_finite() && rate > 0.0, "{rates:?}");
        }
        let roofline = rates.roofline();
        assert_eq!(roofline.gflops, rates.fma_gflops);
        assert_eq!(roofline.gbytes, rates.copy_gbytes.max(rates.read_gbytes));
    }
}

#[test]
fn no_threads_is_an_error_that_says_what_to_give() {
    let error = measure_roofline(&quick(0)).unwrap_err();
    assert!(matches!(error, RateError::NoThreads));
    assert!(error.to_string().contains("use at least 1"));
}

#[test]
fn a_roofline_bounds_by_memory_and_by_arithmetic() {
    let roofline = mirage_machine::Roofline {
        gflops: 100.0,
        gbytes: 10.0,
    };
    assert_eq!(roofline.attainable_gflops(10, 10), 10.0);
    assert_eq!(roofline.attainable_gflops(1000, 10), 100.0);
    assert_eq!(roofline.attainable_gflops(1000, 0), 100.0);
}
