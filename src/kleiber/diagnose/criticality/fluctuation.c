/* Mean squared residual of every window of a profile about its least-squares line (order 1) or parabola (order 2).

   The line through a window's ends (order 2: the parabola through ends and middle) is taken off first: the residual is not
   changed by it, and the sums then cancel little. On centred
   times c the polynomials 1, c and c^2 - (s^2 - 1) / 12 are orthogonal, so a fit is three dot products. */

void fluctuation(const double *y, long length, const long *scales, long count, int order, double *out) {
    for (long k = 0; k < count; k++) {
        const int s = (int)scales[k];
        const double d = (double)s, half = 0.5 * (d - 1.0), spread = (d * d - 1.0) / 12.0;
        const double norm1 = d * spread, norm2 = d * (d * d - 1.0) * (d * d - 4.0) / 180.0;
        for (long w = 0; w < length / s; w++) {
            const double *piece = y + w * s;
            const double slope = (piece[s - 1] - piece[0]) / (d - 1.0), middle = 0.5 * (piece[0] + piece[s - 1]);
            double total = 0.0, tilt = 0.0, bend = 0.0, square = 0.0;
            if (order == 1) {
                #pragma omp simd reduction(+:total,tilt,square)
                for (int i = 0; i < s; i++) {
                    const double c = (double)i - half, r = piece[i] - middle - slope * c;
                    total += r;
                    tilt += c * r;
                    square += r * r;
                }
            } else {
                const int place = s / 2;
                const double at = (double)place - half;
                const double curve = (piece[place] - middle - slope * at) / (at * at - half * half);
                #pragma omp simd reduction(+:total,tilt,bend,square)
                for (int i = 0; i < s; i++) {
                    const double c = (double)i - half;
                    const double r = piece[i] - middle - slope * c - curve * (c * c - half * half);
                    total += r;
                    tilt += c * r;
                    bend += (c * c - spread) * r;
                    square += r * r;
                }
            }
            double left = square - total * total / d - tilt * tilt / norm1;
            if (order == 2) left -= bend * bend / norm2;
            *out++ = left > 0.0 ? left / d : 0.0;
        }
    }
}
