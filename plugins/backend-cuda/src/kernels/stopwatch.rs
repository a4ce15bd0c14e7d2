//! Times nodes by the device's clock.
//!
//! The clock is a pair of events around the node's kernels. So that the time does not include waiting for
//! launches of the host, the device first runs a delay, during which the kernels and the second event are
//! queued. The time between two events without a kernel is subtracted.

use std::time::Duration;

use burn_backend::{DType, Shape};
use burn_cubecl::{CubeDevice, ops::numeric::empty_device_contiguous_dtype, tensor::CubeTensor};
use cubecl::{CubeDim, client::ProfileWindow, future::block_on, prelude::*};
use mirage_burn::Stopwatch;

use super::device::{argument, cubes};

/// Steps of the delay: about 150 µs on current cards, longer than the launches of a node.
const STEPS: u32 = 1 << 16;

/// Number of empty windows, of which the shortest is used.
const EMPTY: usize = 3;

/// Dependent steps of one unit. The result is written so that they are not optimized away.
#[cube(launch_unchecked)]
pub(crate) fn wait_kernel(out: &mut [u32], steps: u32) {
    let mut x = out[0];
    for _ in 0..steps {
        x = x * 1_664_525u32 + 1_013_904_223u32;
    }
    out[0] = x;
}

/// Times nodes on the stream of the thread that runs them.
pub(crate) struct DeviceStopwatch {
    device: CubeDevice,
    /// Where the wait writes to, from the first start on.
    place: Option<CubeTensor>,
    window: Option<ProfileWindow>,
    /// The time between two events with nothing between them, once it is known.
    nothing: Option<Duration>,
}

impl DeviceStopwatch {
    pub(crate) fn new(device: &CubeDevice) -> Self {
        DeviceStopwatch {
            device: device.clone(),
            place: None,
            window: None,
            nothing: None,
        }
    }

    #[allow(unsafe_code)]
    fn occupy(&mut self) {
        let place = self.place.get_or_insert_with(|| {
            empty_device_contiguous_dtype(
                self.device.client(),
                self.device.clone(),
                Shape::from([1]),
                DType::U32,
            )
        });
        // SAFETY: one unit reads and writes the one element of the place.
        unsafe {
            wait_kernel::launch_unchecked(
                &place.client,
                cubes(1, 1),
                CubeDim::new_1d(1),
                argument(place, 1),
                STEPS,
            );
        }
    }
}

impl Stopwatch for DeviceStopwatch {
    fn start(&mut self) -> Result<(), String> {
        if self.nothing.is_none() {
            let mut least = Duration::MAX;
            for _ in 0..EMPTY {
                self.open()?;
                least = least.min(self.close()?);
            }
            self.nothing = Some(least);
        }
        self.open()
    }

    fn stop(&mut self) -> Result<Duration, String> {
        let nothing = self.nothing.unwrap_or_default();
        Ok(self.close()?.saturating_sub(nothing))
    }
}

impl DeviceStopwatch {
    fn open(&mut self) -> Result<(), String> {
        self.occupy();
        let window = self.device.client().profile_start();
        self.window =
            Some(window.map_err(|e| format!("the device's clock does not start: {e:?}"))?);
        Ok(())
    }

    /// The time since [`Self::open`], which the device has reached then.
    fn close(&mut self) -> Result<Duration, String> {
        let window = self
            .window
            .take()
            .ok_or("the device's clock was not started")?;
        let told = self.device.client().profile_end(window);
        let told = told.map_err(|e| format!("the device's clock does not stop: {e:?}"))?;
        Ok(block_on(told.resolve()).map_or(Duration::ZERO, |ticks| ticks.duration()))
    }
}

impl Drop for DeviceStopwatch {
    fn drop(&mut self) {
        if let Some(window) = self.window.take() {
            self.device.client().profile_abandon(window);
        }
    }
}
