using System.Runtime.Intrinsics;
using LatentBridge.Networks;
using LatentBridge.Simd;

namespace LatentBridge.Tests.Networks;

[Trait("Category", "Kernels")]
public sealed unsafe class MatrixKernelTests
{
    [Fact]
    public void Rows_columns_and_depths_of_every_remainder_give_the_sum()
    {
        foreach (KernelWidth width in Kernel.Supported)
        {
            switch (width)
            {
                case KernelWidth.Vector512:
                    Sweep<Lanes512, Vector512<float>>();
                    break;
                case KernelWidth.Vector256:
                    Sweep<Lanes256, Vector256<float>>();
                    break;
                case KernelWidth.Vector128:
                    Sweep<Lanes128, Vector128<float>>();
                    break;
            }
        }
    }

    static void Sweep<TLanes, TVector>()
        where TLanes : ILanes<TVector>
        where TVector : struct
    {
        for (int rows = 1; rows <= 13; rows++)
        {
            foreach ((int depth, int columns) in ((int, int)[])[(1, 1), (3, 7), (16, 8), (27, 32), (64, 33), (70, 64)])
            {
                Check<TLanes, TVector>(rows, depth, columns);
            }
        }
    }

    static void Check<TLanes, TVector>(int rows, int depth, int columns)
        where TLanes : ILanes<TVector>
        where TVector : struct
    {
        int paddedRows = (rows + 5) / 6 * 6, padded = MatrixKernel<TLanes, TVector>.PaddedColumns(columns);
        int stride = depth + 3;
        float[] a = ConvolutionTests.Numbers(rows, paddedRows * stride), b = ConvolutionTests.Numbers(depth, depth * columns);
        float[] initial = ConvolutionTests.Numbers(columns, padded);
        using NativeBuffer packed = new(MatrixKernel<TLanes, TVector>.PackedLength(depth, columns)), c = new(paddedRows * padded);
        MatrixKernel<TLanes, TVector>.Pack(b, depth, columns, packed.Pointer);
        fixed (float* left = a)
        fixed (float* start = initial)
        {
            MatrixKernel<TLanes, TVector>.Multiply(left, stride, rows, packed.Pointer, depth, padded, start, 0, c.Pointer, padded);
        }

        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                double expected = initial[column];
                for (int k = 0; k < depth; k++)
                {
                    expected += (double)a[(row * stride) + k] * b[(k * columns) + column];
                }

                Assert.Equal(expected, c.Pointer[(row * padded) + column], 1e-5);
            }
        }
    }
}
