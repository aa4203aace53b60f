// The world as paths, in the equal earth projection (areas keep their size). Loaded only where a map is shown.
import { geoEqualEarth, geoPath } from 'd3-geo';
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import atlas from 'world-atlas/countries-110m.json';

export const WIDTH = 960;
export const HEIGHT = 440;
/** Degrees of latitude that are drawn: nobody calls from Antarctica. */
const SOUTH = -56;
const NORTH = 78;

const topology = atlas as unknown as Topology<{ countries: GeometryCollection<{ name: string }> }>;

const projection = geoEqualEarth().fitExtent(
  [
    [4, 4],
    [WIDTH - 4, HEIGHT - 4],
  ],
  {
    type: 'MultiPoint',
    coordinates: [
      [-168, 0],
      [180, 0],
      [0, SOUTH],
      [0, NORTH],
    ],
  },
);
const path = geoPath(projection).digits(1);

const countries = feature(topology, topology.objects.countries);

export const landPath: string = countries.features
  .filter((country) => country.properties.name !== 'Antarctica')
  .map((country) => path(country) ?? '')
  .join('');

export const borderPath: string = path(mesh(topology, topology.objects.countries, (a, b) => a !== b)) ?? '';

/** Where a place lies on the map; nothing for what lies outside. */
export function project(longitude: number, latitude: number): [number, number] | undefined {
  const point = projection([longitude, latitude]);
  if (point === null || point[1] < 0 || point[1] > HEIGHT) return undefined;
  return point;
}
