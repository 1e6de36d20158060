using System.Numerics;
using System.Runtime.InteropServices;

namespace LatentBridge.Fitting;

/// <summary>Trains a perceptron C-H-H-3 with SiLU by Adam on batches of cells. The same numbers for the same seed on the same machine.</summary>
sealed class PerceptronTrainer
{
    const int BatchLength = 512;
    const double Rate = 4e-3;
    const double Decay1 = 0.9;
    const double Decay2 = 0.999;

    readonly int[] _widths;
    readonly float[][] _weights;
    readonly float[][] _gradients;
    readonly float[][] _means;
    readonly float[][] _squares;

    // Per layer [units, batch]: what goes in, the sum before the activation, and the loss's derivative by that sum.
    readonly float[][] _inputs;
    readonly float[][] _sums;
    readonly float[][] _deltas;
    readonly Random _random;

    /// <summary>Makes one with seeded weights: uniform, of a width that keeps the layers' variance.</summary>
    public PerceptronTrainer(int channels, int hidden, int seed)
    {
        _widths = [channels, hidden, hidden, 3];
        _random = new(seed);
        _weights = [.. Enumerable.Range(0, 3).Select(layer =>
        {
            float limit = MathF.Sqrt(3f / _widths[layer]);
            return Enumerable.Range(0, _widths[layer + 1] * (_widths[layer] + 1))
                .Select(i => i < _widths[layer + 1] * _widths[layer] ? limit * ((2 * _random.NextSingle()) - 1) : 0).ToArray();
        })];
        _gradients = Like(_weights);
        _means = Like(_weights);
        _squares = Like(_weights);
        _inputs = [.. Enumerable.Range(0, 3).Select(layer => new float[_widths[layer] * BatchLength])];
        _sums = [.. Enumerable.Range(0, 3).Select(layer => new float[_widths[layer + 1] * BatchLength])];
        _deltas = Like(_sums);
    }

    /// <summary>Weights [outputs, inputs] of a layer, for inputs as they come.</summary>
    public float[] Weights(int layer) => _weights[layer][..(_widths[layer] * _widths[layer + 1])];

    /// <summary>Biases of a layer.</summary>
    public float[] Biases(int layer) => _weights[layer][(_widths[layer] * _widths[layer + 1])..];

    /// <summary>Trains on planes [C, cells] and RGB24; the step shrinks to nothing along half a cosine.</summary>
    public void Train(ReadOnlySpan<float> planes, ReadOnlySpan<byte> rgb, int steps, CancellationToken cancellation)
    {
        int cells = rgb.Length / 3;
        (float Mean, float Deviation)[] moments = new (float, float)[_widths[0]];
        for (int channel = 0; channel < moments.Length; channel++)
        {
            moments[channel] = Moments(planes.Slice(channel * cells, cells));
        }

        for (int step = 1; step <= steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int i = 0; i < BatchLength; i++)
            {
                int cell = _random.Next(cells);
                for (int channel = 0; channel < moments.Length; channel++)
                {
                    _inputs[0][(channel * BatchLength) + i] = (planes[(channel * cells) + cell] - moments[channel].Mean) / moments[channel].Deviation;
                }

                for (int colour = 0; colour < 3; colour++)
                {
                    _deltas[2][(colour * BatchLength) + i] = 1 - (rgb[(3 * cell) + colour] / 127.5f);
                }
            }

            Forward();
            Backward();
            Update(step, Rate * 0.5 * (1 + Math.Cos(Math.PI * (step - 1) / steps)));
        }

        TakeScaleIntoFirstLayer(moments);
    }

    /// <summary>Ends with the differences from the target in the last deltas, where minus the target was.</summary>
    void Forward()
    {
        for (int layer = 0; layer < 3; layer++)
        {
            (int inputs, int outputs) = (_widths[layer], _widths[layer + 1]);
            for (int o = 0; o < outputs; o++)
            {
                Span<float> sum = Row(_sums[layer], o);
                sum.Fill(_weights[layer][(outputs * inputs) + o]);
                for (int i = 0; i < inputs; i++)
                {
                    AddScaled(_weights[layer][(o * inputs) + i], Row(_inputs[layer], i), sum);
                }
            }

            float[] sums = _sums[layer];
            float[] to = layer < 2 ? _inputs[layer + 1] : _deltas[2];
            for (int i = 0; i < sums.Length; i++)
            {
                to[i] = layer < 2 ? sums[i] * Sigmoid(sums[i]) : to[i] + sums[i];
            }
        }
    }

    void Backward()
    {
        for (int layer = 2; layer >= 0; layer--)
        {
            (int inputs, int outputs) = (_widths[layer], _widths[layer + 1]);
            for (int o = 0; o < outputs; o++)
            {
                Span<float> delta = Row(_deltas[layer], o);
                for (int i = 0; i < inputs; i++)
                {
                    _gradients[layer][(o * inputs) + i] = Dot(delta, Row(_inputs[layer], i)) / BatchLength;
                }

                float total = 0;
                foreach (float value in delta)
                {
                    total += value;
                }

                _gradients[layer][(outputs * inputs) + o] = total / BatchLength;
            }

            if (layer == 0)
            {
                return;
            }

            // By the layer's inputs, then through SiLU: s + x s (1 - s).
            for (int i = 0; i < inputs; i++)
            {
                Span<float> below = Row(_deltas[layer - 1], i);
                below.Clear();
                for (int o = 0; o < outputs; o++)
                {
                    AddScaled(_weights[layer][(o * inputs) + i], Row(_deltas[layer], o), below);
                }

                Span<float> sum = Row(_sums[layer - 1], i);
                for (int k = 0; k < below.Length; k++)
                {
                    float s = Sigmoid(sum[k]);
                    below[k] *= s * (1 + (sum[k] * (1 - s)));
                }
            }
        }
    }

    void Update(int step, double rate)
    {
        float factor = (float)(rate * Math.Sqrt(1 - Math.Pow(Decay2, step)) / (1 - Math.Pow(Decay1, step)));
        for (int layer = 0; layer < 3; layer++)
        {
            for (int i = 0; i < _weights[layer].Length; i++)
            {
                float gradient = _gradients[layer][i];
                float mean = _means[layer][i] += (float)(1 - Decay1) * (gradient - _means[layer][i]);
                float square = _squares[layer][i] += (float)(1 - Decay2) * ((gradient * gradient) - _squares[layer][i]);
                _weights[layer][i] -= factor * mean / (MathF.Sqrt(square) + 1e-8f);
            }
        }
    }

    // w (x - mean) / deviation + b = (w / deviation) x + b - w mean / deviation.
    void TakeScaleIntoFirstLayer((float Mean, float Deviation)[] moments)
    {
        float[] weights = _weights[0];
        (int inputs, int outputs) = (_widths[0], _widths[1]);
        for (int i = 0; i < inputs * outputs; i++)
        {
            (float mean, float deviation) = moments[i % inputs];
            weights[i] /= deviation;
            weights[(inputs * outputs) + (i / inputs)] -= weights[i] * mean;
        }
    }

    static (float Mean, float Deviation) Moments(ReadOnlySpan<float> values)
    {
        double sum = 0, squares = 0;
        foreach (float value in values)
        {
            sum += value;
            squares += (double)value * value;
        }

        double mean = sum / values.Length;
        return ((float)mean, (float)Math.Max(1e-4, Math.Sqrt(Math.Max(0, (squares / values.Length) - (mean * mean)))));
    }

    static Span<float> Row(float[] matrix, int row) => matrix.AsSpan(row * BatchLength, BatchLength);

    static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));

    static void AddScaled(float factor, ReadOnlySpan<float> from, Span<float> to)
    {
        ReadOnlySpan<Vector<float>> source = MemoryMarshal.Cast<float, Vector<float>>(from);
        Span<Vector<float>> destination = MemoryMarshal.Cast<float, Vector<float>>(to);
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] += source[i] * factor;
        }
    }

    static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ReadOnlySpan<Vector<float>> left = MemoryMarshal.Cast<float, Vector<float>>(a);
        ReadOnlySpan<Vector<float>> right = MemoryMarshal.Cast<float, Vector<float>>(b);
        Vector<float> sum = default;
        for (int i = 0; i < left.Length; i++)
        {
            sum += left[i] * right[i];
        }

        return Vector.Sum(sum);
    }

    static float[][] Like(float[][] arrays) => [.. arrays.Select(array => new float[array.Length])];
}
