/* Mean squared residual of every window of a profile about its least-squares line (order 1) or parabola (order 2).

   The line through a window's ends (order 2: the parabola through ends and middle) is taken off first: the residual is not
   changed by it, and the sums then cancel little. On centred
   times c the polynomials 1, c and c^2 - (s^2 - 1) / 12 are orthogonal, so a fit is three dot products. */

#define SIDE 8      /* short windows are taken so many side by side: within one, adding up the lanes would take longest */
#define SHORT 64
#define BLOCK 32768  /* samples, a quarter of a megabyte */

static void side_by_side(const double *y, int s, double *out) {
    const double d = (double)s, half = 0.5 * (d - 1.0), norm1 = d * (d * d - 1.0) / 12.0;
    double slope[SIDE], middle[SIDE], total[SIDE] = {0}, tilt[SIDE] = {0}, square[SIDE] = {0};
    for (int j = 0; j < SIDE; j++) {
        slope[j] = (y[j * s + s - 1] - y[j * s]) / (d - 1.0);
        middle[j] = 0.5 * (y[j * s] + y[j * s + s - 1]);
    }
    for (int i = 0; i < s; i++) {
        const double c = (double)i - half;
        #pragma omp simd
        for (int j = 0; j < SIDE; j++) {
            const double r = y[j * s + i] - middle[j] - slope[j] * c;
            total[j] += r;
            tilt[j] += c * r;
            square[j] += r * r;
        }
    }
    for (int j = 0; j < SIDE; j++) {
        const double left = square[j] - total[j] * total[j] / d - tilt[j] * tilt[j] / norm1;
        out[j] = left > 0.0 ? left / d : 0.0;
    }
}

static double one(const double *piece, int s, int order) {
    const double d = (double)s, half = 0.5 * (d - 1.0), spread = (d * d - 1.0) / 12.0;
    const double norm1 = d * spread, norm2 = d * (d * d - 1.0) * (d * d - 4.0) / 180.0;
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
    return left > 0.0 ? left / d : 0.0;
}

/* Block after block of the profile, and of each all windows of all scales that end in it: it is read from memory once. */
void fluctuation(const double *y, long length, const long *scales, long count, int order, double *out) {
    for (long before = 0; before < length; before += BLOCK) {
        const long end = before + BLOCK < length ? before + BLOCK : length;
        double *row = out;
        for (long k = 0; k < count; k++) {
            const int s = (int)scales[k];
            long w = before / s;
            if (order == 1 && s < SHORT)
                for (; w + SIDE <= end / s; w += SIDE) side_by_side(y + w * s, s, row + w);
            for (; w < end / s; w++) row[w] = one(y + w * s, s, order);
            row += length / s;
        }
    }
}
