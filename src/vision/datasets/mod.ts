/**
 * `torchvision.datasets`: pictures to learn from.
 *
 * @see https://pytorch.org/vision/stable/datasets.html
 * @module
 */
export { ByteImageDataset, type ByteImages } from "./byte_images.ts";
export { CIFAR10, CIFAR100 } from "./cifar.ts";
export { EMNIST, type EMNISTSplit } from "./emnist.ts";
export { FashionMNIST, KMNIST, MNIST, type MNISTOptions, type Resource } from "./mnist.ts";
export { SyntheticDigits, type SyntheticDigitsOptions } from "./synthetic_digits.ts";
export { type JointTransform, type Transforms, VisionDataset } from "./vision.ts";
