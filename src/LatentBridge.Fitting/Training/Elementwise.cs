using System.Numerics;
using System.Runtime.InteropServices;

namespace LatentBridge.Fitting.Training;

/// <summary>Sums and activations over whole layers. Lengths are multiples of 32.</summary>
static class Elementwise
{
    /// <summary>sum += values</summary>
    public static void Add(ReadOnlySpan<float> values, Span<float> sum)
    {
        ReadOnlySpan<Vector<float>> from = Vectors(values);
        Span<Vector<float>> to = Vectors(sum);
        for (int i = 0; i < from.Length; i++)
        {
            to[i] += from[i];
        }
    }

    /// <summary>x = max(x, 0)</summary>
    public static void Relu(Span<float> values)
    {
        foreach (ref Vector<float> value in Vectors(values))
        {
            value = Vector.Max(value, Vector<float>.Zero);
        }
    }

    /// <summary>The derivative where ReLU let its value through, else 0.</summary>
    public static void MaskByRelu(Span<float> derivatives, ReadOnlySpan<float> results)
    {
        Span<Vector<float>> to = Vectors(derivatives);
        ReadOnlySpan<Vector<float>> from = Vectors(results);
        for (int i = 0; i < to.Length; i++)
        {
            to[i] = Vector.ConditionalSelect(Vector.GreaterThan(from[i], Vector<float>.Zero), to[i], Vector<float>.Zero);
        }
    }

    /// <summary>One step of Adam: the mean of the gradient over the root of its mean square.</summary>
    public static void Adam(Span<float> parameters, ReadOnlySpan<float> gradient, Span<float> means, Span<float> squares, float rate, float decay1, float decay2, float epsilon)
    {
        Span<Vector<float>> p = Vectors(parameters), m = Vectors(means), s = Vectors(squares);
        ReadOnlySpan<Vector<float>> g = Vectors(gradient);
        Vector<float> e = new(epsilon);
        for (int i = 0; i < p.Length; i++)
        {
            m[i] += (g[i] - m[i]) * (1 - decay1);
            s[i] += ((g[i] * g[i]) - s[i]) * (1 - decay2);
            p[i] -= m[i] * rate / (Vector.SquareRoot(s[i]) + e);
        }
    }

    static Span<Vector<float>> Vectors(Span<float> values) => MemoryMarshal.Cast<float, Vector<float>>(values);

    static ReadOnlySpan<Vector<float>> Vectors(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, Vector<float>>(values);
}
