using System.Runtime.CompilerServices;

namespace LatentBridge.Simd;

/// <summary>One float at a time: the reference that the vectors must equal.</summary>
readonly struct LanesScalar : IPixelLanes<float>
{
    /// <summary>What brings a binary16's exponent to binary32's; see <see cref="IPixelLanes{TVector}.LoadF16"/> of the vectors.</summary>
    public const float TwoTo112 = 5192296858534827628530496329220096f;

    public static int Count => 1;

    public static float Broadcast(float value) => value;

    public static float Load(ref readonly float source) => source;

    public static float LoadF16(ref readonly ushort source) => (float)BitConverter.UInt16BitsToHalf(source);

    public static float LoadBF16(ref readonly ushort source) => BitConverter.UInt32BitsToSingle((uint)source << 16);

    public static float LoadBytes(ref readonly byte source) => source;

    public static void Store(float vector, ref float destination) => destination = vector;

    public static void StoreInterleaved(float a, float b, ref float destination)
    {
        destination = a;
        Unsafe.Add(ref destination, 1) = b;
    }

    public static void StoreBytes(float value, ref byte destination) => destination = (byte)Byte(value);

    public static void StoreRgb24(float red, float green, float blue, ref byte destination)
    {
        destination = (byte)Byte(red);
        Unsafe.Add(ref destination, 1) = (byte)Byte(green);
        Unsafe.Add(ref destination, 2) = (byte)Byte(blue);
    }

    public static float Add(float a, float b) => a + b;

    public static float Subtract(float a, float b) => a - b;

    public static float Multiply(float a, float b) => a * b;

    public static float Divide(float a, float b) => a / b;

    public static float Max(float a, float b) => float.MaxNative(a, b);

    public static float Min(float a, float b) => float.MinNative(a, b);

    public static float MultiplyAdd(float a, float b, float c) => float.MultiplyAddEstimate(a, b, c);

    public static float PowerOfTwo(float wholeNumber) => BitConverter.Int32BitsToSingle(((int)wholeNumber + 127) << 23);

    public static float Round(float value) => MathF.Round(value);

    public static float Sum(float vector) => vector;

    public static float ReplaceNaN(float value, ref int nonFinite)
    {
        if (float.IsFinite(value))
        {
            return value;
        }

        nonFinite++;
        return float.IsNaN(value) ? 0 : value;
    }

    static int Byte(float value) => float.IsNaN(value) ? 0 : (int)Math.Clamp(value, 0f, 255f);
}
