// What a chart of the console is, turned into uPlot's options. Colours are names of custom properties, resolved when
// the chart is built, because a canvas knows nothing of CSS.
import uPlot from 'uplot';

import { compact, dayMonth, dayTime, clockTime } from './format';

export interface ChartLine {
  label: string;
  /** A custom property: `--chart-calls`. */
  color: string;
  fill?: string;
  dashed?: boolean;
  bars?: boolean;
  width?: number;
}

export interface ChartSpec {
  lines: ChartLine[];
  /** Fills between two lines, by their indexes: upper, lower. */
  band?: { upper: number; lower: number; color: string };
  /** A span of time to shade, in seconds. */
  episode?: { from: number; to: number };
  /** A moment to mark, in seconds. */
  mark?: { at: number; label: string };
  /** Names the lines last first, because the last is drawn on top. */
  topFirst?: boolean;
  /** Compresses large values, so that small ones stay readable beside them. */
  compressed?: boolean;
}

/** What `var(name)` means now. */
export function cssColor(host: Element, name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  host.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

const WHOLE_STEPS = [1, 2, 5].flatMap((n) => [1, 10, 100, 1000, 10_000].map((ten) => n * ten)).sort((a, b) => a - b);
const HOUR = 3600;
const DAY = 86_400;

function axisTimes(_: uPlot, splits: number[]): string[] {
  const step = splits.length > 1 ? (splits[1] ?? 0) - (splits[0] ?? 0) : 0;
  return splits.map((split) => {
    const ms = split * 1000;
    if (step >= DAY) return dayMonth(ms);
    if (split % DAY === 0) return dayMonth(ms);
    return step < 60 ? clockTime(ms) : clockTime(ms).slice(0, 5);
  });
}

/** The time of a point, as exact as its step. */
export function pointTime(time: number, step: number): string {
  return step < HOUR ? `${dayMonth(time * 1000)} ${clockTime(time * 1000)}` : dayTime(time * 1000);
}

function drawBehind(spec: ChartSpec, color: (name: string) => string): (plot: uPlot) => void {
  const fill = color('--chart-episode');
  return (plot) => {
    if (spec.episode === undefined) return;
    const { ctx, bbox } = plot;
    const edge = (time: number): number =>
      Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(time, 'x', true)));
    const left = edge(spec.episode.from);
    const width = Math.max(2 * devicePixelRatio, edge(spec.episode.to) - left);
    ctx.save();
    ctx.fillStyle = fill;
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.restore();
  };
}

function drawMark(spec: ChartSpec, color: (name: string) => string): (plot: uPlot) => void {
  const stroke = color('--high');
  return (plot) => {
    if (spec.mark === undefined) return;
    const { ctx, bbox } = plot;
    const x = Math.round(plot.valToPos(spec.mark.at, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = stroke;
    ctx.fillStyle = stroke;
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `500 ${11 * ratio}px Inter, sans-serif`;
    ctx.textBaseline = 'top';
    const right = x + ctx.measureText(spec.mark.label).width + 8 * ratio > bbox.left + bbox.width;
    ctx.textAlign = right ? 'right' : 'left';
    ctx.fillText(spec.mark.label, x + (right ? 6 : -6) * ratio, bbox.top - 15 * ratio);
    ctx.restore();
  };
}

function seriesOf(line: ChartLine, color: (name: string) => string): uPlot.Series {
  const series: uPlot.Series = {
    label: line.label,
    stroke: color(line.color),
    width: line.width ?? 1.5,
    points: { show: false },
  };
  if (line.fill !== undefined) series.fill = color(line.fill);
  if (line.dashed === true) series.dash = [5, 4];
  if (line.bars === true && uPlot.paths.bars) {
    series.paths = uPlot.paths.bars({ size: [0.72, 28], align: 1 });
    series.width = 0;
    series.fill = color(line.color);
  }
  return series;
}

/** uPlot's options for `spec`. */
export function chartOptions(
  spec: ChartSpec,
  size: { width: number; height: number },
  color: (name: string) => string,
  hooks: { cursor: (plot: uPlot) => void; scaled: (plot: uPlot) => void },
): uPlot.Options {
  const axis = {
    stroke: color('--faint'),
    font: '11px Inter, sans-serif',
    ticks: { show: false },
    grid: { stroke: color('--chart-grid'), width: 1 },
  };
  const options: uPlot.Options = {
    ...size,
    // The name of a mark stands above the plot.
    padding: [spec.mark === undefined ? 8 : 20, 18, 0, 0],
    tzDate: (time) => uPlot.tzDate(new Date(time * 1000), 'Etc/UTC'),
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false, dist: 6 } },
    scales: {
      x: { time: true },
      y: {
        distr: spec.compressed === true ? 4 : 1,
        asinh: 1,
        range: (_, min, max) => [Math.min(0, min), max > 0 ? max * 1.06 : 1],
      },
    },
    axes: [
      { ...axis, values: axisTimes, space: 70, size: 28, grid: { show: false } },
      yAxis(spec, axis),
    ],
    series: [{}, ...spec.lines.map((line) => seriesOf(line, color))],
    hooks: {
      setCursor: [hooks.cursor],
      setScale: [(plot, key) => key === 'x' && hooks.scaled(plot)],
      drawClear: [drawBehind(spec, color)],
      draw: [drawMark(spec, color)],
    },
  };
  if (spec.band) {
    options.bands = [
      { series: [spec.band.upper + 1, spec.band.lower + 1], fill: color(spec.band.color) },
    ];
  }
  return options;
}

/** Powers of ten where the scale is compressed: its own minor lines would be a curtain. */
function yAxis(spec: ChartSpec, axis: uPlot.Axis): uPlot.Axis {
  const values = (_: uPlot, splits: number[]): string[] => splits.map(axisValue);
  // Bars count things: there are no halves.
  const incrs = spec.lines.some((line) => line.bars) ? { incrs: WHOLE_STEPS } : {};
  if (spec.compressed !== true) return { ...axis, ...incrs, values, size: 46, space: 34 };
  const splits = (_: uPlot, __: number, ___: number, max: number): number[] => {
    const powers = [0];
    for (let power = 1; power <= max; power *= 10) powers.push(power);
    return powers;
  };
  return { ...axis, values, splits, size: 46 };
}

function axisValue(value: number | null): string {
  if (value === null) return '';
  return value < 10 ? String(Number(value.toFixed(2))) : compact(value);
}
