//! Values to places.

/// Round numbers within a range, about five.
pub(in crate::render) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|s| s * power)
        .into_iter()
        .find(|&s| s >= rough)
        .unwrap_or(rough);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A round number, without the digits that binary fractions add.
pub(in crate::render) fn tick(value: f64) -> String {
    ((value * 1e9).round() / 1e9).to_string()
}

/// A coordinate.
pub(in crate::render) fn at(place: f64) -> String {
    format!("{place:.1}")
}

/// A coordinate of what is narrow.
pub(in crate::render) fn fine(place: f64) -> String {
    format!("{place:.2}")
}

/// A logarithmic axis between powers of ten.
pub(in crate::render) struct Powers {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Powers {
    /// The axis around values above 0, from one place to another.
    pub(in crate::render) fn around(
        values: impl Iterator<Item = f64>,
        (from, to): (f64, f64),
    ) -> Self {
        let (low, high) = values
            .map(f64::log10)
            .filter(|p| p.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| {
                (l.min(p.floor()), h.max(p.ceil()))
            });
        let (low, high) = match low.is_finite() {
            true => (low as i32, high as i32),
            false => (0, 1),
        };
        Powers {
            low,
            high: high.max(low + 1),
            from,
            to,
        }
    }

    /// Where a value above 0 is.
    pub(in crate::render) fn place(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + (self.to - self.from) * part
    }

    /// The powers of ten on the axis.
    pub(in crate::render) fn powers(&self) -> std::ops::RangeInclusive<i32> {
        self.low..=self.high
    }

    /// The least value.
    pub(in crate::render) fn low(&self) -> f64 {
        10.0_f64.powi(self.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 1.3), [0.0, 0.5, 1.0]);
        assert_eq!(tick(3.0 * 0.1), "0.3");
        assert_eq!(ticks(-3.0, 9.0), [0.0, 5.0]);
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    }

    #[test]
    fn powers_of_ten_are_evenly_spaced() {
        let axis = Powers::around([0.5, 300.0].into_iter(), (0.0, 40.0));
        assert_eq!(axis.powers(), -1..=3);
        let places = [0.1, 1.0, 10.0, 100.0, 1000.0].map(|v| axis.place(v).round());
        assert_eq!(places, [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(
            Powers::around([1.0].into_iter(), (0.0, 1.0)).powers(),
            0..=1
        );
        assert_eq!(Powers::around([].into_iter(), (0.0, 1.0)).powers(), 0..=1);
    }
}
