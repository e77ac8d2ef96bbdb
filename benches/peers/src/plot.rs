//! Figures as SVG.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Outcome;
use crate::csv::figure;

const SIZE: (u32, u32) = (800, 450);
/// Colours that are told apart without telling red from green (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
];
const FONT: &str = "sans-serif";
/// The height of a line of text above bars, of the height of all.
const LINE: f64 = 0.05;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line through points, and what it is called.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    pub(crate) fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        let name = name.into();
        Self { name, points }
    }

    fn without(mut self, end: &str) -> Self {
        self.name = self.name.trim_end_matches(end).trim_end().to_owned();
        self
    }
}

/// What is around the curves.
struct Axes<'a> {
    title: &'a str,
    x: &'a str,
    y: &'a str,
}

/// Nanoseconds against live sessions, by powers of ten.
pub(crate) fn cost(curves: &[Curve]) -> Outcome {
    let curves: Vec<_> = curves.iter().map(to_powers_of_ten).collect();
    let axes = Axes {
        title: "What a check adds to a request",
        x: "live sessions",
        y: "nanoseconds",
    };
    draw("cost.svg", |area| {
        lines(area, &axes, &curves, None, power_of_ten)
    })
}

fn to_powers_of_ten(curve: &Curve) -> Curve {
    let points = curve.points.iter().map(|(x, y)| (x.log10(), *y)).collect();
    Curve::new(&*curve.name, points)
}

fn power_of_ten(exponent: &f64) -> String {
    let superscripts = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷"];
    match exponent.fract().abs() < 1e-9 {
        true => format!("10{}", superscripts[*exponent as usize]),
        false => String::new(),
    }
}

/// Calls for each second against threads.
pub(crate) fn threads(curves: &[Curve]) -> Outcome {
    let millions = |curve: &Curve| {
        let points = curve.points.iter().map(|(x, y)| (*x, y / 1e6)).collect();
        Curve::new(&*curve.name, points)
    };
    for (name, visits) in [("threads.svg", "uniform"), ("threads-hot.svg", "one hot")] {
        let curves = curves.iter().filter(|curve| curve.name.ends_with(visits));
        let curves: Vec<_> = curves.map(millions).map(|c| c.without(visits)).collect();
        let axes = Axes {
            title: &format!("Throughput, {visits}"),
            x: "threads",
            y: "million calls for each second",
        };
        draw(name, |area| lines(area, &axes, &curves, None, whole))?;
    }
    Ok(())
}

fn whole(number: &f64) -> String {
    match number.fract().abs() < 1e-9 {
        true => format!("{number:.0}"),
        false => String::new(),
    }
}

/// Milliseconds against seconds; the store was gone in `outage`.
pub(crate) fn outage(curves: &[Curve], outage: Range<f64>) -> Outcome {
    let axes = Axes {
        title: "Redis is killed, and comes back (p99 of each 100 ms)",
        x: "seconds",
        y: "milliseconds",
    };
    draw("outage.svg", |area| {
        lines(area, &axes, curves, Some(outage), whole)
    })
}

/// Cold checks and plain commands a second, against how many are in flight, by powers of two.
pub(crate) fn cold(curves: &[Curve]) -> Outcome {
    let thousands = |curve: &Curve| {
        let points = curve.points.iter();
        let points = points.map(|(x, y)| (x.log2(), y / 1e3)).collect();
        Curve::new(&*curve.name, points)
    };
    let curves: Vec<_> = curves.iter().map(thousands).collect();
    let axes = Axes {
        title: "Checks of sessions that this node does not know, in Redis",
        x: "in flight",
        y: "thousands a second",
    };
    draw("cold.svg", |area| {
        lines(area, &axes, &curves, None, power_of_two)
    })
}

fn power_of_two(exponent: &f64) -> String {
    match exponent.fract().abs() < 1e-9 {
        true => format!("{:.0}", exponent.exp2()),
        false => String::new(),
    }
}

/// Bytes of a session, a bar for each cache.
pub(crate) fn memory(bars: &[(&str, f64)]) -> Outcome {
    let axes = Axes {
        title: "Memory of a cached session",
        x: "",
        y: "bytes",
    };
    draw("memory.svg", |area| standing(area, &axes, bars))
}

/// Cold checks a second, a bar for each store.
pub(crate) fn stores(bars: &[(String, f64)]) -> Outcome {
    let axes = Axes {
        title: "Checks of sessions that this node does not know, 64 in flight",
        x: "",
        y: "checks a second",
    };
    let bars: Vec<_> = bars.iter().map(|bar| (&*bar.0, bar.1)).collect();
    draw("stores.svg", |area| standing(area, &axes, &bars))
}

/// Bars, each with its name and its figure above it.
fn standing(area: &Area<'_>, axes: &Axes<'_>, bars: &[(&str, f64)]) -> Outcome {
    let highest = bars.iter().map(|bar| bar.1).fold(0.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .caption(axes.title, (FONT, 20))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..bars.len() as f64, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .y_label_formatter(&whole)
        .x_labels(0)
        .y_desc(axes.y)
        .draw()?;
    let centred = TextStyle::from((FONT, 14)).pos(Pos::new(HPos::Center, VPos::Bottom));
    for (number, (name, figure)) in bars.iter().enumerate() {
        let left = number as f64;
        let bar = [(left + 0.2, 0.0), (left + 0.8, *figure)];
        chart.draw_series([Rectangle::new(bar, COLOURS[number].filled())])?;
        let lines = [format!("{figure:.0}"), (*name).to_owned()];
        for (line, text) in lines.into_iter().enumerate() {
            let height = figure + highest * LINE * line as f64;
            chart.draw_series([Text::new(text, (left + 0.5, height), centred.clone())])?;
        }
    }
    Ok(())
}

fn draw(name: &str, paint: impl FnOnce(&Area<'_>) -> Outcome) -> Outcome {
    let path = figure(name)?;
    let area = SVGBackend::new(&path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    paint(&area)?;
    Ok(area.present()?)
}

fn lines(
    area: &Area<'_>,
    axes: &Axes<'_>,
    curves: &[Curve],
    shaded: Option<Range<f64>>,
    x_label: fn(&f64) -> String,
) -> Outcome {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let left = points().map(|point| point.0).fold(f64::MAX, f64::min);
    let right = points().map(|point| point.0).fold(0.0, f64::max);
    // The names of the curves are above them.
    let top = points().map(|point| point.1).fold(0.0, f64::max) * 1.4;
    let mut chart = ChartBuilder::on(area)
        .caption(axes.title, (FONT, 20))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(left..right, 0.0..top)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(axes.x)
        .y_desc(axes.y)
        .x_label_formatter(&x_label);
    mesh.light_line_style(TRANSPARENT).draw()?;
    if let Some(shaded) = shaded {
        let corners = [(shaded.start, 0.0), (shaded.end, top)];
        chart.draw_series([Rectangle::new(corners, BLACK.mix(0.1).filled())])?;
    }
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let line = LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2));
        let key = |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2));
        chart.draw_series(line)?.label(&*curve.name).legend(key);
    }
    let mut key = chart.configure_series_labels();
    key.position(SeriesLabelPosition::UpperLeft);
    key.background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}
